"""Rounds of the MLP on real and soft labels. What members say of animals that they have not learnt from decides, for
the next round and with what the forest says, what the unlabelled frames carry.

T frames, N of them looked at, D latent, C behaviours, M heads, E members, G groups.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rbc.device import placed
from rbc.inference import Encoded
from rbc.learning.frameset import FrameSet
from rbc.learning.mlp import WindowMlp, second_opinion, train_mlp
from rbc.learning.pretraining import history_rows
from rbc.learning.pseudo import soft_labels
from rbc.learning.training import Chance
from rbc.scoring.splits import folds
from rbc.scoring.known import Guess
from rbc.scoring.labels import NOT_SCORED, PRESENT, prevalence


@dataclass(frozen=True)
class Opinion:
    """What members that did not learn from a session's group say of it."""

    rows: np.ndarray  # (N,) frames that were looked at
    probability: np.ndarray  # (N, M, C)
    there: np.ndarray  # (N, M) has the head anything to read?

    def of(self, wanted: np.ndarray) -> tuple[np.ndarray, Guess]:
        """Of the wanted frames (T,) those that were looked at (n,), and the guess on them."""
        here = wanted[self.rows]
        return self.rows[here], (self.probability[here], self.there[here])


def self_train(encoded: Iterable[tuple[str, Encoded]], looked: Mapping[str, np.ndarray],
               labels: Mapping[str, np.ndarray], forest: Mapping[str, np.ndarray], groups: Mapping[str, str], *,
               hidden_dim: int, windows: tuple[int, ...], members: int, n_cycles: int, epochs: int, batch_size: int,
               lr: float, weight_decay: float, balance: float, negative_focus: float, pseudo_weight: float,
               chance: Chance, scratch: Path, title: str = "train_mlp",
               causal: bool = False) -> tuple[WindowMlp, dict[str, Opinion], list[dict]]:
    """The MLP of the last round, what members that did not learn from a session's group say of it, and the history.

    encoded: sessions by name, taken one at a time and not kept; looked: their frames (N,) to look at, in the same
    order; of these frames labels: (N, C) of the labelled sessions; forest: what it says (N, C) of
    sessions, whose unlabelled frames are then learnt from, may be empty; groups: animal of every session; title: what
    the progress bar calls it.
    """
    places = {g: i for i, g in enumerate(dict.fromkeys(groups[n] for n in labels))}
    labelled = len(places)
    left_out = torch.from_numpy(folds(labelled, members))  # a group without labels goes with one that has some
    frames, there, opinion = FrameSet(windows, sum(map(len, looked.values())), causal), {}, {}
    for name, e in encoded:
        rows = looked[name]
        there[name], opinion[name] = e.there[rows], e.probability[rows]  # of the network's heads first
        frames.add(e.read, e.there, rows, places.setdefault(groups[name], len(places)) % labelled)
        d_model, behaviours, widths = e.latents.shape[2], e.similarity.shape[1], tuple(x.shape[1] for x in e.features)
    gathered = frames.gather()
    ends = np.cumsum([len(rows) for rows in looked.values()])[:-1]
    history = []
    for cycle in range(n_cycles):
        soft = soft_labels(opinion, there, forest, labels)
        aims = [aim(labels.get(n), soft.get(n), (len(rows), behaviours), pseudo_weight) for n, rows in looked.items()]
        target, weight = (torch.from_numpy(np.concatenate(column)) for column in zip(*aims, strict=True))
        fresh = placed(WindowMlp(d_model, widths, behaviours, windows, hidden_dim, members, causal=causal))
        fresh.set_prior(torch.as_tensor(prevalence(labels), dtype=torch.float32))
        mlp, rows = train_mlp(fresh, gathered, target, weight, left_out, epochs=epochs, batch_size=batch_size, lr=lr,
                              weight_decay=weight_decay, balance=balance, negative_focus=negative_focus, chance=chance,
                              scratch=scratch / str(cycle), name=f"{title} {cycle + 1}/{n_cycles}")
        history += [{**row, "epoch": cycle * epochs + row["epoch"], "cycle": cycle + 1} for row in history_rows(rows)]
        opinion = dict(zip(looked, np.split(second_opinion(mlp, gathered, left_out), ends), strict=True))
    return mlp, {n: Opinion(rows, opinion[n], there[n]) for n, rows in looked.items()}, history


def aim(labels: np.ndarray | None, soft: np.ndarray | None, shape: tuple[int, int],
        pseudo_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Targets and weights (N, C) f4: real labels (N, C) where there are any, else soft ones (N, C) with less weight,
    where they are not NaN."""
    labels = np.full(shape, NOT_SCORED, np.int8) if labels is None else labels
    soft = np.full(shape, np.nan, np.float32) if soft is None else soft
    scored = labels != NOT_SCORED
    weight = np.where(scored, 1.0, np.where(np.isnan(soft), 0.0, pseudo_weight))
    target = np.where(scored, labels == PRESENT, np.nan_to_num(soft))
    return target.astype(np.float32), weight.astype(np.float32)
