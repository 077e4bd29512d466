"""Rounds of the MLP on real and pseudo labels. What members say of animals that they have not learnt from decides, for
the next round, which labels are doubtful and what the unlabelled frames carry.

T frames, N of them looked at, D latent, C behaviours, M heads, E members, G groups, A annotators.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from rbc.device import placed
from rbc.inference import Encoded
from rbc.learning.mlp import FrameSet, WindowMlp, second_opinion, train_mlp
from rbc.learning.pretraining import history_rows
from rbc.learning.pseudo import relabel, without_doubtful
from rbc.learning.training import Chance
from rbc.scoring.calibration import folds, mean_of_heads
from rbc.scoring.labels import NOT_SCORED, PRESENT, prevalence, union

STRIDE = 4  # neighbouring unlabelled frames say much the same


def self_train(encoded: Mapping[str, Encoded], labels: Mapping[str, np.ndarray], guessed: Mapping[str, tuple],
               groups: Mapping[str, str], *, hidden_dim: int, windows: tuple[int, ...], members: int, n_cycles: int,
               epochs: int, batch_size: int, lr: float, weight_decay: float, balance: float, negative_focus: float,
               pseudo_weight: float, negative_weight: float, pseudo: dict, chance: Chance, scratch: Path,
               causal: bool = False) -> tuple[WindowMlp, dict[str, np.ndarray], list[dict]]:
    """The MLP of the last round, what members that did not learn from a session's group say of it, and the history.

    labels: (T, C) of the labelled sessions, or (A, T, C); guessed: soft labels (T, C) and state (T, C) of sessions, may
    be empty; groups: animal of every encoded session; pseudo: settings of `relabel` between rounds. What members say is
    that of every head (T, M, C), NaN in the frames that were not looked at.
    """
    looked = {n: frames_of(labels.get(n), len(e.there)) for n, e in encoded.items()}
    thin = {n: e.at(looked[n]) for n, e in encoded.items()}
    labels = {n: y[..., looked[n], :] for n, y in labels.items()}
    guessed = {n: tuple(x[looked[n]] for x in pair) for n, pair in guessed.items()}
    labelled = len({groups[n] for n in labels})
    places = {g: i % labelled for i, g in enumerate(dict.fromkeys(groups[n] for n in (*labels, *encoded)))}
    left_out = torch.from_numpy(folds(labelled, members))  # a group without labels goes with one that has some
    frames = FrameSet(windows, causal)
    for name, e in encoded.items():
        frames.add(e.read, e.there, looked[name], places[groups[name]])
    gathered = frames.gather()
    ends = np.cumsum([len(rows) for rows in looked.values()])[:-1]
    any_session = next(iter(encoded.values()))
    d_model, behaviours = any_session.latents.shape[2], any_session.similarity.shape[1]
    widths = tuple(x.shape[1] for x in any_session.features)
    trusted, history = labels, []
    for cycle in range(n_cycles):
        aims = [aim(trusted.get(n), guessed.get(n), (len(rows), behaviours), pseudo_weight, negative_weight)
                for n, rows in looked.items()]
        target, weight = (torch.from_numpy(np.concatenate(column)) for column in zip(*aims, strict=True))
        fresh = placed(WindowMlp(d_model, widths, behaviours, windows, hidden_dim, members, causal=causal))
        fresh.set_prior(torch.as_tensor(prevalence(labels), dtype=torch.float32))
        mlp, rows = train_mlp(fresh, gathered, target, weight, left_out, epochs=epochs, batch_size=batch_size, lr=lr,
                              weight_decay=weight_decay, balance=balance, negative_focus=negative_focus, chance=chance,
                              scratch=scratch / str(cycle), name=f"train_mlp {cycle + 1}/{n_cycles}")
        history += [{**row, "epoch": cycle * epochs + row["epoch"], "cycle": cycle + 1} for row in history_rows(rows)]
        opinion = dict(zip(looked, np.split(second_opinion(mlp, gathered, left_out), ends), strict=True))
        if cycle + 1 < n_cycles:
            if guessed:
                guessed = relabel(opinion, thin, labels, **pseudo)
            if left_out.any():  # what one has learnt one does not doubt
                trusted = without_doubtful(labels, {n: mean_of_heads(opinion[n], thin[n].there) for n in labels})
    said = {n: np.full(e.probability.shape, np.nan, np.float32) for n, e in encoded.items()}
    for name, rows in looked.items():
        said[name][rows] = opinion[name]
    return mlp, said, history


def frames_of(labels: np.ndarray | None, frames: int) -> np.ndarray:
    """Frames (N,) to look at: those with a label (T, C) or (A, T, C), and every fourth of the others."""
    wanted = np.arange(frames) % STRIDE == 0
    return np.flatnonzero(wanted if labels is None else wanted | (union(labels) != NOT_SCORED).any(1))


def aim(labels: np.ndarray | None, guessed: tuple | None, shape: tuple[int, int], pseudo_weight: float,
        negative_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Targets and weights (N, C) f4: real labels where there are any (of several annotators the mean), else
    pseudo labels with less weight."""
    real = np.full((1, *shape), NOT_SCORED, np.int8) if labels is None else labels.reshape(-1, *shape)  # (A, N, C)
    scored, present = (real != NOT_SCORED).sum(0), (real == PRESENT).sum(0)
    soft, state = guessed or (np.zeros(shape), np.full(shape, NOT_SCORED, np.int8))
    unknown = (scored == 0) & (state != NOT_SCORED)
    pseudo = pseudo_weight * np.where(state == PRESENT, 1.0, negative_weight)
    weight = np.where(scored > 0, 1.0, unknown * pseudo)
    return np.where(scored > 0, present / np.maximum(scored, 1), soft).astype(np.float32), weight.astype(np.float32)
