"""align_sessions: the adapters learn to give a behaviour the same latent in all training sessions."""

from pathlib import Path

import numpy as np

from rbc.artifacts import load_model, save_network
from rbc.experiment import ALIGNED, Experiment
from rbc.inference import encode
from rbc.learning.aligning import align_sessions
from rbc.learning.crops import Corpus
from rbc.learning.ranks import leads, together
from rbc.learning.training import Chance
from rbc.outputs import write_json, writing
from rbc.params import load
from rbc.scoring.neighbours import neighbour_agreement, session_mixing
from rbc.scoring.splits import Ledger

SECTIONS = ("data", "split", "model", "pretrain", "align_sessions")
PRETRAINED = Path("data/pretrain")
SAMPLE = 300  # frames of each session in the two figures


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    chance = Chance(params.seed)
    with writing(Path("data/align_sessions")) as out, together():
        model = load_model(PRETRAINED)
        views = experiment.labels("train")
        ledger = Ledger.load(PRETRAINED / "trained_on.json")
        labelled = Corpus(experiment.of("train"), model.recipe, ledger, experiment.roles, views)
        everything = Corpus(experiment.seen, model.recipe, ledger, experiment.roles)
        before = figures(model, experiment, views)
        align_sessions(
            model.network, labelled, everything, **params.align_sessions.model_dump(), chance=chance,
            scratch=experiment.scratch("align_sessions", SECTIONS, [ALIGNED, PRETRAINED]),
        )
        if not leads():
            return
        after = figures(model, experiment, views) if params.align_sessions.steps else before
        save_network(model, out)
        ledger.save(out / "trained_on.json")
        write_json(Path("metrics/align_sessions.json"), {"before": before, "after": after})


def figures(model, experiment: Experiment, views: dict[str, np.ndarray]) -> dict[str, float]:
    """Session mixing and separation of behaviours over labelled frames."""
    rng = np.random.default_rng(experiment.params.seed)
    latents, labels, names = [], [], []
    for name, view in views.items():
        rows = np.flatnonzero((view >= 0).any(1))
        rows = np.sort(rng.choice(rows, min(SAMPLE, len(rows)), replace=False))
        latents.append(encode(model.network, experiment.sessions[name], model.recipe).latents[2][rows])
        labels.append(view[rows])
        names.append(np.full(len(rows), name))
    z, y, session = np.concatenate(latents), np.concatenate(labels), np.concatenate(names)
    return {"session_mixing": session_mixing(z, session), "neighbour_agreement": neighbour_agreement(z, y, session)}


if __name__ == "__main__":
    main()
