"""Whole sessions through the network, in chunks on an absolute grid, and adaptation without labels.

T frames, D latent, C behaviours, F features, M heads (imu, pose, fused).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rbc.features import Recipe, feature_chunks, imu_features, pose_features, session_crop
from rbc.network.adapter import Adapter
from rbc.network.network import Network
from rbc.recordings.session import MODALITIES, Session

CHUNK = 2048  # frames kept of each pass
CHUNKS_PER_BATCH = 4
VISITOR = Adapter.VISITOR
RANGE_STRIDE = 10  # neighbouring frames say the same
RANGE_SLACK = 1e-3  # a feature that is constant must not fall out of its range by rounding


@dataclass(frozen=True)
class Encoded:
    latents: np.ndarray  # (M, T, D)
    probability: np.ndarray  # (T, M, C) of the heads
    similarity: np.ndarray  # (T, C) of the fused latent to the prototypes
    features: tuple[np.ndarray, np.ndarray]  # (T, F) of each modality, scaled and shifted, 0 where missing
    there: np.ndarray  # (T, M) has the head anything to read?

    @property
    def read(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """What each head reads: a latent (T, D), and the features (T, F) of its modality, of both for the fused one."""
        return list(zip(self.latents, (*self.features, np.concatenate(self.features, axis=1)), strict=True))

    def at(self, rows: np.ndarray) -> "Encoded":
        """The frames in rows (N,)."""
        features = tuple(x[rows] for x in self.features)
        return Encoded(self.latents[:, rows], self.probability[rows], self.similarity[rows], features, self.there[rows])


ClassMap = tuple[Tensor, Tensor]
"""Which scaled features a mixture of behaviours makes expect: per modality a linear map (C + 1, F) from probabilities
and a constant."""


def halo(network: Network, recipe: Recipe) -> int:
    """Frames to each side that decide a frame, on the network's grid."""
    reach = network.context + recipe.frames(1.0) + recipe.frames(0.5)
    return -(-reach // network.GRID) * network.GRID


@torch.inference_mode()
def encode(network: Network, session: Session, recipe: Recipe, row: int = 0) -> Encoded:
    """Latents and head probabilities of a session, in chunks; `row` is the adapter's (0 = the shared map)."""
    network.eval()
    device = next(network.parameters()).device
    margin = halo(network, recipe)
    starts = range(0, len(session), CHUNK)
    pieces: list[tuple[Tensor, ...]] = []
    for first in range(0, len(starts), CHUNKS_PER_BATCH):
        group = starts[first : first + CHUNKS_PER_BATCH]
        crops = [session_crop(session, s - margin, s + CHUNK + margin, recipe, row) for s in group]
        crop = type(crops[0])(*(torch.cat(c) for c in zip(*(vars(x).values() for x in crops), strict=True)))
        crop = crop.map(lambda x: x.to(device))
        imu, pose = network.scale(imu_features(crop, recipe), pose_features(crop, recipe))
        latents = network(imu, pose, crop.there, crop.setup)
        inner = [z[:, margin : margin + CHUNK] for z in latents.three]
        probability = torch.sigmoid(network.heads(tuple(inner)))  # (B, CHUNK, M, C)
        similarity = network.prototypes.similarity(inner[2])
        stacked = torch.stack(inner, 2)  # (B, CHUNK, M, D)
        features = [
            torch.where(crop.there[..., m, None], adapter.shifted(x, crop.setup), 0.0)[:, margin : margin + CHUNK]
            for m, (adapter, x) in enumerate(zip(network.adapters, (imu, pose), strict=True))
        ]
        there = crop.there[:, margin : margin + CHUNK]
        pieces.append(tuple(x.flatten(0, 1).cpu() for x in (stacked, probability, similarity, there, *features)))
    latents, probability, similarity, there, *features = (
        torch.cat(c)[: len(session)].numpy() for c in zip(*pieces, strict=True)
    )
    fused = there.any(1) & there.any(0).all()  # a modality that is never there leaves the other's own head to speak
    there = np.concatenate([there, fused[:, None]], axis=1)
    return Encoded(np.ascontiguousarray(latents.transpose(1, 0, 2)), probability, similarity, tuple(features), there)


@torch.inference_mode()
def scaled_features(network: Network, session: Session, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Scaled features (T, F) of both modalities, NaN where missing."""
    parts = [network.scale(*pair) for pair in feature_chunks(session, recipe, CHUNK)]
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


def feature_range(features: list[tuple[Tensor, Tensor]]) -> dict[str, np.ndarray]:
    """1 % and 99 % quantiles (2, F) of scaled features (T, F) over all sessions, by modality; NaN where never there."""
    pooled = [torch.cat([x[::RANGE_STRIDE] for x in column]) for column in zip(*features, strict=True)]
    ends = torch.tensor([0.01, 0.99])
    return {name: torch.nanquantile(x, ends, dim=0).numpy() if x.numel() else np.zeros((2, x.shape[1]))
            for name, x in zip(MODALITIES, pooled, strict=True)}


def share_outside(features: tuple[Tensor, Tensor], ranges: dict[str, np.ndarray]) -> dict[str, float]:
    """Share of a session's scaled features (T, F) outside `feature_range` by modality; NaN where nothing is there.
    About 0.02 in sessions like those of training."""
    shares = {}
    for name, x in zip(MODALITIES, features, strict=True):
        low, high = torch.from_numpy(np.asarray(ranges[name], np.float32))
        outside = (x < low - RANGE_SLACK) | (x > high + RANGE_SLACK)
        shares[name] = float(outside.sum() / (~x.isnan()).sum())
    return shares


def fit_class_map(features: list[tuple[Tensor, Tensor]], soft: list[np.ndarray], ridge: float = 10.0) -> ClassMap:
    """ClassMap by ridge regression of scaled features (T, F) on soft labels (T, C), NaN = frame left out."""
    maps = []
    target = torch.cat([torch.as_tensor(np.asarray(s), dtype=torch.float64) for s in soft])
    for m in range(2):
        x = torch.cat([f[m] for f in features]).double()
        rows = ~target.isnan().any(1) & ~x.isnan().all(1)
        design = torch.cat([target[rows], torch.ones(int(rows.sum()), 1, dtype=torch.float64)], 1)  # (N, C + 1)
        gram = design.T @ design + ridge * torch.eye(design.shape[1], dtype=torch.float64)
        maps.append(torch.linalg.solve(gram, design.T @ x[rows].nan_to_num(0.0)).float())
    return maps[0], maps[1]


def adapt(network: Network, class_map: ClassMap, session: Session, recipe: Recipe, probability: np.ndarray,
          prior_s: float = 60.0) -> None:
    """Fit the visitor's shift to a session without labels.

    The shift is by how much its features deviate on average from those that its own predicted mixture of behaviours
    (T, C) makes expect, shrunk as if `prior_s` seconds without deviation had been seen: class-conditional, so that a
    session in which the rat did other things is not pulled to the others' marginals.
    """
    soft = torch.as_tensor(np.asarray(probability), dtype=torch.float32)
    design = torch.cat([soft, torch.ones(len(soft), 1)], 1)
    features = scaled_features(network, session, recipe)
    for adapter, x, coefficients in zip(network.adapters, features, class_map, strict=True):
        residual = x - design @ coefficients  # (T, F)
        seconds = (~residual.isnan()).sum(0) / recipe.rate_hz
        adapter.welcome(seconds / (seconds + prior_s) * residual.nanmean(0).nan_to_num(0.0))
