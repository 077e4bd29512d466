"""The model that ships: network, MLP, what adaptation needs, and how probabilities become decisions, in one folder."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from rbc.artifacts import NETWORK, Model, load_model, load_tensors, save_network
from rbc.device import placed
from rbc.inference import CHUNK, ClassMap, adapt, heads_there, looked_at, read_part, side_by_side
from rbc.learning.mlp import WindowMlp
from rbc.network.adapter import NO_SHIFT, SessionShift
from rbc.network.heads import HEADS
from rbc.outputs import write_json
from rbc.recordings.errors import RecordingError
from rbc.recordings.session import MODALITIES, Session
from rbc.rooms import let_go, pieces, room
from rbc.scoring.calibration import mean_of_heads
from rbc.scoring.decision import Decision, Predictions

RECIPE = "recipe.json"


@dataclass(frozen=True)
class Classifier:
    model: Model
    mlp: WindowMlp
    class_map: ClassMap
    decision: Decision | None = None
    """What ships: fitted on out-of-fold predictions of training animals and on all validation animals."""
    mounts: tuple[str, ...] = ("",)
    """Where the IMU sat in the sessions with labels and an IMU, as `Session.mount`."""
    cross_fitted: Mapping[str, Decision] = field(default_factory=dict)
    """Decisions fitted without a validation animal each, as `decision.cross_fitted_decisions`: they score it."""

    def taught(self, mount: str) -> bool:
        """Did a labelled animal wear its IMU there, as of `Session.mount`? Taken for granted where nobody can tell."""
        return mount in self.mounts or "" in (mount, *self.mounts)

    def guess(self, sessions: Mapping[str, Session]) -> dict[str, Predictions]:
        """Probabilities (T, M, C) and heads there (T, M) of sessions never seen."""
        return {name: self._guess(session) for name, session in sessions.items()}

    def adapted(self, sessions: Mapping[str, Session], guesses: Mapping[str, Predictions]) -> dict[str, Predictions]:
        """Guesses after each session has adapted without labels, on what its heads said on average in its guess."""
        glances = {name: tuple(np.concatenate([x[chunk] for chunk in looked_at(len(session))]) for x in guesses[name])
                   for name, session in sessions.items()}
        return {name: self._adapted(session, glances[name]) for name, session in sessions.items()}

    def headline(self, sessions: Mapping[str, Session], adapt: bool) -> dict[str, Predictions]:
        """The guesses that count: adapted ones where `adapt`."""
        if not adapt:
            return self.guess(sessions)
        return {name: self._adapted(session, self._guess(session, chunks=looked_at(len(session))))
                for name, session in sessions.items()}

    def say(self, session: Session, chunk: slice, shift: SessionShift = NO_SHIFT) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (n, M, C), and which modalities are there (n, 2), in a slice of a session's frames."""
        reach, grid = self.mlp.reach, self.mlp.step
        wide = slice(max(chunk.start - reach, 0) // grid * grid, min(chunk.stop + reach, len(session)))
        start, stop = chunk.start - wide.start, chunk.stop - wide.start
        part = read_part(self.model.network, session, self.model.recipe, wide, shift)
        return self.mlp.probability(part.read, start, stop), part.there[start:stop].cpu().numpy()

    def _guess(self, session: Session, shift: SessionShift = NO_SHIFT, chunks: list[slice] | None = None) -> Predictions:
        """The guess in all frames, or in those of the chunks, one after the other."""
        self.model.network.eval()
        chunks = list(pieces(len(session), CHUNK)) if chunks is None else chunks
        ends = np.cumsum([0, *(chunk.stop - chunk.start for chunk in chunks)])
        probability = room((ends[-1], len(HEADS), len(self.model.behaviours)), np.float32)
        there = room((ends[-1], len(MODALITIES)), bool)
        said = side_by_side(partial(self.say, session, shift=shift), chunks)
        for place, pair in zip(map(slice, ends[:-1], ends[1:]), said, strict=True):
            probability[place], there[place] = pair
            let_go(probability, *vars(session).values())
        return probability, heads_there(there, self.taught(session.mount))

    def _adapted(self, session: Session, glance: Predictions) -> Predictions:
        """The guess after adapting on the guess in the frames that are looked at."""
        looked = looked_at(len(session))
        soft = np.split(mean_of_heads(*glance), np.cumsum([chunk.stop - chunk.start for chunk in looked])[:-1])
        said = zip(looked, soft, strict=True)
        return self._guess(session, adapt(self.model.network, self.class_map, session, self.model.recipe, said))

    def save(self, folder: Path, notes: dict) -> None:
        """Write weights and recipe.json; notes are numbers worth knowing about the training, and what
        rbc.predict needs: adapt, alignment (the settings of align_data) and feature_range."""
        tensors = {f"mlp.{k}": v for k, v in self.mlp.state_dict().items()}
        tensors |= {f"class_map.{name}": x for name, x in zip(MODALITIES, self.class_map, strict=True)}
        shape = {"windows": list(self.mlp.windows), "members": self.mlp.members}
        save_network(self.model, folder, tensors, {"mlp": shape, "mounts": self.mounts})
        write_json(folder / RECIPE, {**notes, "behaviours": self.model.behaviours,
                                     "decision": self.decision.as_dict(),
                                     "cross_fitted": {k: d.as_dict() for k, d in self.cross_fitted.items()}})

    @classmethod
    def load(cls, folder: Path) -> "Classifier":
        """What `save` wrote; nothing in it can run code."""
        model = load_model(folder)
        header, tensors = load_tensors(Path(folder) / NETWORK)
        shape = header["notes"]["mlp"]
        features = tuple(adapter.mean.numel() for adapter in model.network.adapters)
        mlp = WindowMlp(model.architecture["d_model"], features, len(model.behaviours), tuple(shape["windows"]),
                        model.architecture["hidden_dim"], shape["members"], causal=model.architecture["causal"])
        mlp.load_state_dict({k.removeprefix("mlp."): v for k, v in tensors.items() if k.startswith("mlp.")})
        class_map = tensors["class_map.imu"], tensors["class_map.pose"]
        recipe = read_recipe(folder)
        cross_fitted = {k: Decision.from_dict(values) for k, values in recipe.get("cross_fitted", {}).items()}
        return cls(model, placed(mlp), class_map, Decision.from_dict(recipe["decision"]),
                   tuple(header["notes"]["mounts"]), cross_fitted)


@contextmanager
def trained(folder: Path) -> Iterator[None]:
    """Makes a RecordingError of what goes wrong while a folder is read that should hold what train_mlp wrote."""
    try:
        yield
    except (OSError, ValueError, KeyError, SafetensorError) as fault:
        raise RecordingError(f"--model {folder}: needs what train_mlp wrote; {type(fault).__name__}: {fault}") from None


def read_recipe(folder: Path) -> dict:
    """recipe.json: decisions, behaviours and the notes of training."""
    return json.loads((Path(folder) / RECIPE).read_text())
