"""Whole sessions through the network, in chunks on an absolute grid, and adaptation without labels.

T frames, D latent, C behaviours, F features, M heads (imu, pose, fused).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from rbc.device import placed
from rbc.features import imu_features, part_features, pose_features
from rbc.mirror import mirrored
from rbc.network.adapter import NO_SHIFT, SessionShift
from rbc.network.network import Network
from rbc.recordings.session import MODALITIES, Session
from rbc.rooms import let_go, pieces
from rbc.signals import Recipe, session_crop

CHUNK = 4096  # frames kept of each pass
LOOKED_AT = 60_000  # frames, twenty minutes: what a session is on average needs no more
RANGE_SLACK = 1e-3  # a feature that is constant must not fall out of its range by rounding
Item, Made = TypeVar("Item"), TypeVar("Made")


@dataclass(frozen=True)
class Encoded:
    latents: np.ndarray  # (M, T, D)
    probability: np.ndarray  # (T, M, C) of the heads
    features: tuple[np.ndarray, np.ndarray]  # (T, F) of each modality, scaled and shifted, 0 where missing
    there: np.ndarray  # (T, M) has the head anything to read?

    @property
    def read(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """What each head reads: a latent (T, D), and the features (T, F) of its modality, of both for the fused one."""
        return list(zip(self.latents, (*self.features, np.concatenate(self.features, axis=1)), strict=True))

    def at(self, rows: np.ndarray) -> "Encoded":
        """The frames in rows (N,)."""
        features = tuple(x[rows] for x in self.features)
        return Encoded(self.latents[:, rows], self.probability[rows], features, self.there[rows])


ClassMap = tuple[Tensor, Tensor]
"""Which scaled features a mixture of behaviours makes expect: per modality a linear map (C + 1, F) from probabilities
and a constant."""


def halo(network: Network, recipe: Recipe) -> int:
    """Frames to each side that decide a frame, on the network's grid."""
    return -(-(network.context + recipe.reach) // network.GRID) * network.GRID


@dataclass(frozen=True)
class Part:
    """What the heads read in the frames of a slice of a session."""

    latents: tuple[Tensor, Tensor, Tensor]  # (n, D) each
    features: tuple[Tensor, Tensor]  # (n, F), scaled and shifted, 0 where missing
    there: Tensor  # (n, 2)

    @property
    def read(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self.latents, (*self.features, torch.cat(self.features, 1)), strict=True))


@torch.inference_mode()
def read_part(network: Network, session: Session, recipe: Recipe, part: slice, shift: SessionShift = NO_SHIFT,
              mirror: bool = False) -> Part:
    """What is read in a slice of frames, whatever the session it is cut from, its features less the shift. Where
    `mirror`, of what a mirror shows."""
    margin = halo(network, recipe)
    first = (part.start - margin) // network.GRID * network.GRID  # the network's segments lie on an absolute grid
    inner = slice(part.start - first, part.stop - first)
    crop = session_crop(session, first, part.stop + margin, recipe).map(placed)
    crop = mirrored(crop, recipe) if mirror else crop
    scaled = network.scale(imu_features(crop, recipe), pose_features(crop, recipe))
    latents = network(*scaled, crop.there, shift).three
    features = network.shifted(scaled, crop.there, shift)
    latents, features = (tuple(x[0, inner] for x in both) for both in (latents, features))
    return Part(latents, features, crop.there[0, inner])


@contextmanager
def one_thread() -> Iterator[int]:
    """Torch works with one thread here; how many it has elsewhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def side_by_side(work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """What `work` makes of the items, in order. Each of torch's threads takes an item of its own, so that what is made
    of it does not depend on how many there are."""
    waiting = deque()
    with (one_thread() as threads,
          ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool):
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def encode(network: Network, session: Session, recipe: Recipe, shift: SessionShift = NO_SHIFT,
           mirror: bool = False) -> Encoded:
    """Latents and head probabilities of a session, in chunks, from its features less the shift that `adapt` found.
    Where `mirror`, of what a mirror shows."""
    network.eval()

    @torch.inference_mode()
    def encoded(chunk: slice) -> tuple[Tensor, ...]:
        part = read_part(network, session, recipe, chunk, shift, mirror)
        probability = torch.sigmoid(network.heads(tuple(z[None] for z in part.latents)))[0]  # (n, M, C)
        return torch.stack(part.latents, 1), probability, part.there, *part.features

    made = side_by_side(encoded, pieces(len(session), CHUNK))
    latents, probability, there, *features = (
        torch.cat([x.cpu() for x in column]).numpy() for column in zip(*made, strict=True)
    )
    latents = np.ascontiguousarray(latents.transpose(1, 0, 2))
    return Encoded(latents, probability, tuple(features), heads_there(there))


def heads_there(there: np.ndarray, taught: bool = True, ever: Sequence[bool] | None = None) -> np.ndarray:
    """(T, M) which heads speak in frames in which the modalities are there (T, 2): those that have something to read.
    A modality that is never there leaves the other's own head to speak; `ever` says which are, of a part of a session.
    An IMU that is worn where none was `taught` leaves it to pose to speak where that is there."""
    fused = there.any(1) & np.all(there.any(0) if ever is None else ever) & taught
    imu = there[:, 0] & (taught | ~there[:, 1])
    return np.stack([imu, there[:, 1], fused], axis=1)


@torch.inference_mode()
def features_of(network: Network, session: Session, recipe: Recipe, part: slice) -> tuple[Tensor, Tensor]:
    """Scaled features (n, F) of both modalities in a slice of frames, NaN where missing."""
    imu, pose = network.scale(*map(placed, part_features(session, recipe, part)))
    let_go(*vars(session).values())
    return imu.cpu(), pose.cpu()


def scaled_features(network: Network, session: Session, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Scaled features (T, F) of both modalities, NaN where missing."""
    parts = side_by_side(partial(features_of, network, session, recipe), pieces(len(session), CHUNK))
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


def looked_at(frames: int) -> list[slice]:
    """Chunks that stand for a session: all of them up to LOOKED_AT frames, of a longer one an even share."""
    return list(pieces(frames, CHUNK))[:: max(-(-frames // LOOKED_AT), 1)]


def feature_range(features: list[tuple[Tensor, Tensor]]) -> dict[str, np.ndarray]:
    """1 % and 99 % quantiles (2, F) of scaled features (T, F) over all sessions, by modality; NaN where never there."""
    pooled = [torch.cat(column) for column in zip(*features, strict=True)]
    ends = torch.tensor([0.01, 0.99])
    return {name: torch.nanquantile(x, ends, dim=0).numpy() if x.numel() else np.zeros((2, x.shape[1]))
            for name, x in zip(MODALITIES, pooled, strict=True)}


def share_outside(parts: Iterable[tuple[Tensor, Tensor]], ranges: dict[str, np.ndarray]) -> dict[str, float]:
    """Share of a session's scaled features (n, F), part by part, outside `feature_range` by modality; NaN where nothing
    is there. About 0.02 in sessions like those of training."""
    outside, known = np.zeros(2), np.zeros(2)
    for part in parts:
        for m, (name, x) in enumerate(zip(MODALITIES, part, strict=True)):
            low, high = torch.from_numpy(np.asarray(ranges[name], np.float32))
            outside[m] += int(((x < low - RANGE_SLACK) | (x > high + RANGE_SLACK)).sum())
            known[m] += int((~x.isnan()).sum())
    return {name: outside[m] / known[m] if known[m] else float("nan") for m, name in enumerate(MODALITIES)}


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


def adapt(network: Network, class_map: ClassMap, session: Session, recipe: Recipe,
          said: Iterable[tuple[slice, np.ndarray]], prior_s: float = 300.0) -> SessionShift:
    """The shift of a session without labels.

    It is by how much the session's features deviate on average from those that its own predicted mixture of behaviours
    makes expect, `said` in parts (slice, (n, C)), shrunk as if `prior_s` seconds without deviation had been seen:
    class-conditional, so that a session in which the rat did other things is not pulled to the others' marginals.
    """
    total, count = ([torch.zeros(len(a.mean), dtype=torch.float64) for a in network.adapters] for _ in range(2))
    for part, probability in said:
        soft = torch.as_tensor(np.asarray(probability), dtype=torch.float32)
        design = torch.cat([soft, torch.ones(len(soft), 1)], 1)
        for m, x in enumerate(features_of(network, session, recipe, part)):
            residual = x - design @ class_map[m]  # (n, F)
            total[m] += residual.nansum(0, dtype=torch.float64)
            count[m] += (~residual.isnan()).sum(0)
    imu, pose = (placed((t / (n + prior_s * recipe.rate_hz)).float()) for t, n in zip(total, count, strict=True))
    return imu, pose
