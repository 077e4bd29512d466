"""Training of the MLP ensemble on real and soft labels; each member leaves out some animals, for which its predictions
are out of fold.

T frames, N of them used, D latent, C behaviours, M heads, E members, G groups (animals).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rbc.device import placed
from rbc.inference import Encoded
from rbc.learning.frameset import FrameSet
from rbc.learning.mlp import WindowMlp, out_of_fold_probability, train_mlp
from rbc.learning.training import Chance
from rbc.scoring.out_of_fold import Predictions
from rbc.scoring.labels import NOT_SCORED, PRESENT, prevalence
from rbc.scoring.splits import folds


@dataclass(frozen=True)
class OutOfFold:
    """Predictions for a session by the members that did not train on its animal."""

    rows: np.ndarray  # (N,) frames that were used
    probability: np.ndarray  # (N, M, C)
    available: np.ndarray  # (N, M) has the head anything to read?

    def of(self, wanted: np.ndarray) -> tuple[np.ndarray, Predictions]:
        """Of the wanted frames (T,) those that were used (n,), and the predictions for them."""
        here = wanted[self.rows]
        return self.rows[here], (self.probability[here], self.available[here])


def train_ensemble(encoded: Iterable[tuple[str, Encoded]], rows: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray],
                   soft: Mapping[str, np.ndarray], groups: Mapping[str, str], *, hidden_dim: int,
                   windows: tuple[int, ...], members: int, epochs: int, batch_size: int, lr: float, weight_decay: float,
                   balance: float, pseudo_weight: float, chance: Chance, scratch: Path, title: str = "train_mlp",
                   causal: bool = False) -> tuple[WindowMlp, dict[str, OutOfFold], list[dict]]:
    """The MLP, its out-of-fold predictions for every session (by all members where none could be left out), the history.

    encoded: sessions by name, taken one at a time and not kept. rows: frames (N,) of each to train on, in the same
    order; for these frames labels (N, C) 1, 0, -1 of the labelled sessions and soft labels (N, C), NaN where there are
    none. groups: animal of every session. title: what the progress bar calls it.
    """
    places = {g: i for i, g in enumerate(dict.fromkeys(groups[n] for n in labels))}
    labelled = len(places)
    left_out = torch.from_numpy(folds(labelled, members))  # a group without labels goes with one that has some
    frames, available = FrameSet(windows, sum(map(len, rows.values())), causal), {}
    for name, e in encoded:
        available[name] = e.there[rows[name]]
        frames.add(e.read, e.there, rows[name], places.setdefault(groups[name], len(places)) % labelled)
        d_model, behaviours, widths = e.latents.shape[2], e.probability.shape[2], tuple(x.shape[1] for x in e.features)
    gathered = frames.gather()
    pairs = [targets(labels.get(n), soft.get(n), (len(own), behaviours), pseudo_weight) for n, own in rows.items()]
    target, weight = (torch.from_numpy(np.concatenate(column)) for column in zip(*pairs, strict=True))
    mlp = placed(WindowMlp(d_model, widths, behaviours, windows, hidden_dim, members, causal=causal))
    mlp.set_prior(torch.as_tensor(prevalence(labels), dtype=torch.float32))
    mlp, history = train_mlp(mlp, gathered, target, weight, left_out, epochs=epochs, batch_size=batch_size, lr=lr,
                             weight_decay=weight_decay, balance=balance, chance=chance, scratch=scratch, name=title)
    ends = np.cumsum([len(own) for own in rows.values()])[:-1]
    predictions = np.split(out_of_fold_probability(mlp, gathered, left_out), ends)
    return mlp, {n: OutOfFold(own, p, available[n]) for (n, own), p in zip(rows.items(), predictions, strict=True)}, history


def targets(labels: np.ndarray | None, soft: np.ndarray | None, shape: tuple[int, int],
            pseudo_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Targets and weights (N, C) f4: real labels (N, C) where there are any, else soft ones (N, C) with less weight,
    where they are not NaN."""
    labels = np.full(shape, NOT_SCORED, np.int8) if labels is None else labels
    soft = np.full(shape, np.nan, np.float32) if soft is None else soft
    scored = labels != NOT_SCORED
    weight = np.where(scored, 1.0, np.where(np.isnan(soft), 0.0, pseudo_weight))
    target = np.where(scored, labels == PRESENT, np.nan_to_num(soft))
    return target.astype(np.float32), weight.astype(np.float32)
