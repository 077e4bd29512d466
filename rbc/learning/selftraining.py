"""Rounds of the MLP on real and pseudo labels: what it says of the unlabelled frames is what it learns in the next.

T frames, D latent, C behaviours, M heads.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from rbc.inference import Encoded
from rbc.learning.mlp import FrameSet, WindowMlp, train_mlp
from rbc.learning.pretraining import history_rows
from rbc.learning.pseudo import relabel
from rbc.learning.training import Chance
from rbc.scoring.labels import prevalence

STRIDE = 4  # neighbouring unlabelled frames say much the same


def self_train(encoded: Mapping[str, Encoded], labels: Mapping[str, np.ndarray], guessed: Mapping[str, tuple],
               *, hidden_dim: int, windows: tuple[int, ...], members: int, n_cycles: int, epochs: int,
               batch_size: int, lr: float, weight_decay: float, negative_focus: float, pseudo_weight: float,
               negative_weight: float, pseudo: dict, chance: Chance,
               scratch: Path) -> tuple[WindowMlp, dict[str, np.ndarray], list[dict]]:
    """The MLP of the last round, its probabilities (T, M, C) of every encoded session, and the history.

    labels: (T, C) of the labelled sessions; guessed: soft labels (T, C) and state (T, C) of sessions, may be empty;
    pseudo: settings of `relabel` between rounds.
    """
    history: list[dict] = []
    any_session = next(iter(encoded.values()))
    d_model, behaviours = any_session.latents.shape[2], any_session.similarity.shape[1]
    features = tuple(x.shape[1] for x in any_session.features)
    for cycle in range(n_cycles):
        frames = gather(encoded, labels, guessed, windows, pseudo_weight, negative_weight)
        fresh = WindowMlp(d_model, features, behaviours, windows, hidden_dim, members)
        fresh.set_prior(torch.as_tensor(prevalence(labels), dtype=torch.float32))
        mlp, rows = train_mlp(fresh, frames, epochs=epochs, batch_size=batch_size, lr=lr, weight_decay=weight_decay,
                              negative_focus=negative_focus, chance=chance, scratch=scratch / str(cycle),
                              name=f"train_mlp {cycle + 1}/{n_cycles}")
        history += [{**row, "epoch": cycle * epochs + row["epoch"], "cycle": cycle + 1} for row in history_rows(rows)]
        probability = {name: mlp.probability(e.read) for name, e in encoded.items()}
        if guessed:
            guessed = relabel(probability, encoded, labels, **pseudo)
    return mlp, probability, history


def gather(encoded: Mapping[str, Encoded], labels: Mapping[str, np.ndarray], guessed: Mapping[str, tuple],
           windows: tuple[int, ...], pseudo_weight: float, negative_weight: float) -> FrameSet:
    """All labelled frames, and every fourth pseudo-labelled one, with its weight."""
    frames = FrameSet(windows)
    for name, e in encoded.items():
        shape = e.similarity.shape
        real = labels.get(name, np.full(shape, -1, np.int8))
        soft, state = guessed.get(name, (np.zeros(shape), np.full(shape, -1, np.int8)))
        thin = np.arange(len(real))[:, None] % STRIDE == 0
        free = (state >= 0) & (real < 0) & thin
        weight = np.where(real >= 0, 1.0, free * pseudo_weight * np.where(state == 0, negative_weight, 1.0))
        target = np.where(real >= 0, real == 1, soft)
        frames.add(e.read, e.there, target.astype(np.float32), weight.astype(np.float32))
    return frames
