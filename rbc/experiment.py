"""What every learning stage begins with: seeds and threads set, aligned sessions loaded, each with its role."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rbc.outputs import fingerprint, scratch
from rbc.params import Params
from rbc.recordings.session import Session, load_sessions
from rbc.scoring.splits import SplitError, assign, view
from rbc.signals import Recipe

ALIGNED = Path("data/align_data")


@dataclass(frozen=True)
class Experiment:
    params: Params
    sessions: dict[str, Session]
    roles: dict[str, str]

    @classmethod
    def open(cls, params: Params, aligned: Path = ALIGNED) -> "Experiment":
        """The aligned sessions with their roles; torch made repeatable on the way.

        Raises SplitError where a single animal has labels and learns: nobody is left to fit decisions on.
        """
        torch.set_num_threads(params.compute.threads)
        torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms would load the compiler
        torch.utils.deterministic.fill_uninitialized_memory = False  # costs 6 % of a training step, and nobody reads it
        sessions = load_sessions(aligned)
        animals = {name: session.animal for name, session in sessions.items()}
        split = params.split
        experiment = cls(params, sessions, assign(animals, split.by, split.validation, split.test))
        if len(experiment.labelled_animals) == 1 and not experiment.labels("validation"):
            raise SplitError(f"labels of training animals: only {', '.join(experiment.labelled_animals)} has any, of validation animals "
                             f"nobody (split.validation: {list(split.validation)}); decisions are fitted on animals that were "
                             "left out: needs labels of a second training animal or of a validation animal")
        return experiment

    @property
    def behaviours(self) -> tuple[str, ...]:
        return next(iter(self.sessions.values())).behaviours

    @property
    def animals(self) -> dict[str, str]:
        return {name: session.animal for name, session in self.sessions.items()}

    @property
    def rate_hz(self) -> float:
        return next(iter(self.sessions.values())).rate_hz

    @property
    def recipe(self) -> Recipe:
        """Features made of everything that any session has."""
        union = lambda field: tuple(dict.fromkeys(n for s in self.sessions.values() for n in getattr(s, field)))  # noqa: E731
        data = self.params.data
        return Recipe(self.rate_hz, union("keypoints"), data.body_axis, data.head_axis,
                      union("imu_names"), union("band_names"), union("ready_imu_names"), union("ready_pose_names"),
                      any(s.other.shape[1] for s in self.sessions.values()))

    @property
    def slack(self) -> tuple[int, int]:
        """Frames before an annotated onset and after an annotated end that are not scored in fitting."""
        settings = self.params.finetune
        return round(settings.onset_slack_s * self.rate_hz), round(settings.offset_slack_s * self.rate_hz)

    def of(self, *roles: str) -> dict[str, Session]:
        """Sessions with one of the roles."""
        return {name: s for name, s in self.sessions.items() if self.roles[name] in roles}

    @property
    def seen(self) -> dict[str, Session]:
        """Sessions whose signals may be learnt from before evaluate."""
        return self.sessions if self.params.pretrain.sessions == "all" else self.of("train")

    def labels(self, role: str) -> dict[str, np.ndarray]:
        """Label views (T, C) of the sessions in which something was scored under that role."""
        views = {name: view(session, role, self.roles) for name, session in self.sessions.items()}
        return {name: labels for name, labels in views.items() if (labels >= 0).any()}

    @property
    def labelled_animals(self) -> set[str]:
        """Training animals with labels."""
        return {self.animals[name] for name in self.labels("train")}

    def scratch(self, stage: str, sections: tuple[str, ...], inputs: list[Path]) -> Path:
        """Folder of the checkpoints of exactly this run."""
        settings = self.params.model_dump(include={"seed", "compute", *sections})
        return scratch(stage, fingerprint(settings, inputs))
