"""What the speed of the method is measured on: the smallest simulated world aligned, a session of any length made of
one of its sessions again and again, and a model of the usual size that has learnt nothing.

T frames.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rbc.artifacts import Model
from rbc.classifier import Classifier
from rbc.experiment import Experiment
from rbc.inference import fit_class_map, scaled_features
from rbc.learning.crops import Corpus
from rbc.learning.mlp import WindowMlp
from rbc.learning.pretraining import fit_scaling
from rbc.params import Params
from rbc.recordings.preparation import align_all
from rbc.recordings.session import ARRAYS, Session
from rbc.scoring.decision import Decision, Rules
from rbc.scoring.splits import Ledger
from rbc.simulate.dataset import simulate

HOURS = {"10min": 1 / 6, "1h": 1.0, "4h": 4.0, "24h": 24.0}  # of the sessions that show how time and memory grow
FRAMES_PER_HOUR = 180_000
NOTES = {"labelled_minutes": 0.0, "adapt": True}  # what a classifier that has learnt nothing is saved with
SESSION_MINUTES = 4.5  # of those that are decided one after the other
SEED = 20
SWITCH_COST, MIN_FRAMES = 4.0, (1, 10)


def tiny_world(params: Params, root: Path) -> Experiment:
    """The smallest world, simulated and aligned below `root`."""
    simulate(root / "raw", params.simulate.world, "tiny", SEED)
    (root / "aligned").mkdir()
    align_all(root / "raw", root / "aligned", behaviours=params.data.behaviours, progress=False,
              animal_pattern=params.data.animal_pattern, body_axis=params.data.body_axis,
              head_axis=params.data.head_axis, **params.align_data.model_dump())
    split = params.split.model_copy(update={"validation": ("F5",), "test": ("F6",)})
    return Experiment.open(params.model_copy(update={"split": split}), root / "aligned")


def tile(session: Session, frames: int, folder: Path) -> Path:
    """The folder, in which the session now lies as one of T = frames, written piece by piece."""
    replace(session, name=folder.name).save(folder)
    for name in ARRAYS:
        once = np.array(getattr(session, name))
        axis = int(name == "annotators")
        shape = (*once.shape[:axis], frames, *once.shape[axis + 1 :])
        tiled = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", once.dtype, shape)
        for start in range(0, frames, len(session)):
            piece = once.take(range(min(len(session), frames - start)), axis)
            if name in ("time", "video_frame"):
                piece = piece + (start / session.rate_hz if name == "time" else start)
            tiled[(slice(None),) * axis + (slice(start, start + len(session)),)] = piece
    return folder


def untaught(params: Params, experiment: Experiment) -> Classifier:
    """A complete classifier with random weights, its features scaled to the world."""
    torch.manual_seed(params.seed)
    sessions, behaviours = experiment.sessions, experiment.behaviours
    model = Model.new(experiment.recipe, behaviours, params.model.model_dump())
    fit_scaling(model.network, Corpus(sessions, model.recipe, Ledger(), experiment.roles))
    features = [scaled_features(model.network, s, model.recipe) for s in sessions.values()]
    widths, settings, count = tuple(x.shape[1] for x in features[0]), params.train_mlp, len(behaviours)
    mlp = WindowMlp(params.model.d_model, widths, count, settings.windows, params.model.hidden_dim, settings.members,
                    causal=params.model.causal)
    decision = Decision(Rules(settings.decoder), np.full((3, count), 1 / 3),
                        np.tile((1.0, 0.0), (count, 1)), np.full(count, 0.5), np.full(count, SWITCH_COST),
                        np.resize(MIN_FRAMES, count))
    class_map = fit_class_map(features, [np.maximum(s.labels, 0).astype(float) for s in sessions.values()])
    return Classifier(model, mlp, class_map, decision)
