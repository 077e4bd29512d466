"""A representation learnt without labels, and a linear classifier on it: TS2Vec (Yue et al., arXiv 2106.10466).

B crops, T frames, I inputs, D representation, C behaviours.
"""

import numpy as np
import torch
import torch.nn.functional as nnf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from benchmarks.peers.classifiers import classifiers
from benchmarks.peers.training_data import Predictions, Tracks, TrainingData, ensemble
from benchmarks.peers.scaling import fit_scaling
from rbc.learning.losses import hierarchical_contrastive_loss

HIDDEN, WIDTH, BLOCKS = 64, 160, 8
STEPS, BATCH, CROP, LR = 300, 8, 256, 1e-3
UNSEEN = 0.5  # share of the frames that are hidden from each view


class DilatedBlock(nn.Module):
    """Residual block of two dilated convolutions of three taps."""

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.first, self.second = (nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
                                   for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(nnf.gelu(self.first(nnf.gelu(x))))


class Encoder(nn.Module):
    """Representation (B, T, D) of features (B, T, I): projected, frames hidden if asked for, convolved."""

    def __init__(self, inputs: int):
        super().__init__()
        self.project = nn.Linear(inputs, HIDDEN)
        self.blocks = nn.Sequential(*(DilatedBlock(HIDDEN, 2**i) for i in range(BLOCKS)))
        self.out = nn.Conv1d(HIDDEN, WIDTH, 1)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """seen: (B, T) bool, default all."""
        x = self.project(x)
        if seen is not None:
            x = x * seen[..., None]
        return self.out(self.blocks(x.transpose(1, 2))).transpose(1, 2)


def ts2vec(data: TrainingData, held: Tracks) -> Predictions:
    """Probabilities by an ensemble of logistic regressions, one per behaviour, classes balanced, on a representation
    that all training sessions have shaped without their labels."""
    scaled = fit_scaling(data.features)
    encoder = _pretrained([scaled(x) for x in data.features.values()], data.seed)

    @torch.no_grad()
    def represented(x: np.ndarray) -> np.ndarray:
        return encoder(torch.from_numpy(scaled(x))[None])[0].numpy()  # (T, D)

    tables = {name: represented(data.features[name]) for name in data.labels}
    return ensemble(data, tables, ((name, represented(x)) for name, x in held.items()),
                    lambda part: classifiers(part, tables, _linear))


def _linear(seed: int) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=200))


def _pretrained(tracks: list[np.ndarray], seed: int) -> Encoder:
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = Encoder(tracks[0].shape[1])
        optimiser = torch.optim.AdamW(encoder.parameters(), lr=LR)
        for _ in range(STEPS):
            x = torch.from_numpy(_crops(tracks, rng))  # (B, T, I)
            frames = x.shape[1]
            shared = int(rng.integers(frames // 4, frames + 1))
            first = int(rng.integers(frames - shared + 1))
            views = x[:, : first + shared], x[:, first:]
            z1, z2 = (encoder(view, torch.rand(view.shape[:2]) >= UNSEEN) for view in views)
            loss = hierarchical_contrastive_loss(z1[:, first:], z2[:, :shared], alpha=0.5, temporal_unit=0, exclusion=0)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimiser.step()
    return encoder.eval()


def _crops(tracks: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """(BATCH, T, I) stretches of CROP frames, or of as many as the shortest session has."""
    frames = min(CROP, *map(len, tracks))
    room = np.array([len(x) - frames + 1 for x in tracks])
    starts = [(track, rng.integers(room[track])) for track in rng.choice(len(tracks), BATCH, p=room / room.sum())]
    return np.stack([tracks[track][start : start + frames] for track, start in starts])
