"""Loaders: which frames a batch holds. Everything served goes through Corpus.batch, which writes it into the ledger.

B crops, T frames, C behaviours.
"""

import numpy as np
import torch
from torch import Tensor

from rbc.device import placed
from rbc.mirror import mirrored, mirrored_track
from rbc.recordings.session import NOT_SCORED, Session
from rbc.scoring.bouts import find_bouts
from rbc.scoring.splits import Ledger
from rbc.signals import Crop, Recipe, session_crop


class Corpus:
    """Sessions that a stage may train on, cut into crops; records what it served. labels: (T, C) by session."""

    def __init__(self, sessions: dict[str, Session], recipe: Recipe, ledger: Ledger, roles: dict[str, str],
                 labels: dict[str, np.ndarray] | None = None):
        self.sessions, self.recipe, self.ledger, self.roles = sessions, recipe, ledger, roles
        self.names = tuple(sessions)
        self.labels = labels or {}

    def frames(self, name: str) -> int:
        return len(self.sessions[name])

    def batch(self, picks: list[tuple[str, int]], frames: int, warp: float = 1.0,
              flip: np.ndarray | None = None) -> Crop:
        """Crop (B, T) of the stretches of `frames` frames that start at picks (session, frame), played `warp` times
        as fast, and mirrored where `flip` (B,) holds."""
        span = max(int(round(frames * warp)), 2)
        parts = [self._cut(name, start, span) for name, start in picks]
        if flip is not None:
            parts = [mirrored(p, self.recipe) if turned else p for p, turned in zip(parts, flip, strict=True)]
        crop = Crop(*(torch.cat(list(column)) for column in zip(*(vars(p).values() for p in parts), strict=True)))
        return (crop if span == frames else warped(crop, frames)).map(placed)

    def labels_of(self, picks: list[tuple[str, int]], frames: int, warp: float = 1.0,
                  flip: np.ndarray | None = None) -> Tensor:
        """Labels (B, T, C) of the same stretches; -1 beyond a session's ends."""
        span = max(int(round(frames * warp)), 2)
        out = []
        for i, (name, start) in enumerate(picks):
            track = self.labels[name]
            piece = np.full((span, track.shape[1]), NOT_SCORED, track.dtype)
            stop = min(start + span, len(track))
            piece[: stop - start] = track[start:stop]
            self.ledger.record(name, start, stop, "labels", self.roles[name])
            turned = flip is not None and flip[i]
            out.append(mirrored_track(piece, self.sessions[name].behaviours, NOT_SCORED) if turned else piece)
        labels = torch.from_numpy(np.stack(out))
        return labels if span == frames else labels[:, _positions(span, frames).round().long()]

    def _cut(self, name: str, start: int, span: int) -> Crop:
        session = self.sessions[name]
        self.ledger.record(name, start, min(start + span, len(session)), "signals", self.roles[name])
        return session_crop(session, start, start + span, self.recipe)


def _positions(span: int, frames: int) -> Tensor:
    return torch.linspace(0, span - 1, frames)


def warped(crop: Crop, frames: int) -> Crop:
    """The crop stretched or squeezed in time to `frames` frames, linear between neighbours."""
    span = crop.there.shape[1]
    place = _positions(span, frames)
    low = place.floor().long()
    high = (low + 1).clamp_max(span - 1)
    share = place - low

    def stretch(x: Tensor) -> Tensor:
        if x.dim() < 3:
            return x
        if x.dtype == torch.bool:
            return x[:, place.round().long()]
        return torch.lerp(x[:, low], x[:, high], share.reshape(1, -1, *[1] * (x.dim() - 2)))

    return crop.map(stretch)


class SetupSampler:
    """Picks for batches whose crops come from one setup; a setup too short for a batch is joined by others."""

    def __init__(self, corpus: Corpus, frames: int):
        self.frames = frames
        self.setups: dict[str, list[str]] = {}
        for name, session in corpus.sessions.items():
            self.setups.setdefault(session.setup, []).append(name)
        self.length = {name: corpus.frames(name) for name in corpus.names}
        total = np.array([sum(self.length[n] for n in names) for names in self.setups.values()], float)
        self.share = np.sqrt(total) / np.sqrt(total).sum()  # long sessions count more, but not in proportion

    def draw(self, batch: int, rng: np.random.Generator) -> list[tuple[str, int]]:
        names: list[str] = []
        for setup in rng.choice(len(self.setups), size=min(batch, len(self.setups)), replace=False, p=self.share):
            names += list(self.setups.values())[setup]
            if sum(self.length[n] for n in names) >= batch * self.frames:
                break
        return spread(names, self.length, batch, self.frames, rng)


def spread(names: list[str], length: dict[str, int], batch: int, frames: int,
           rng: np.random.Generator) -> list[tuple[str, int]]:
    """Picks spread evenly with jitter over the joined time of the sessions, so that crops of a batch seldom overlap."""
    ends = np.cumsum([length[n] for n in names])
    places = (np.arange(batch) + rng.random(batch)) / batch * ends[-1]
    picks = []
    for place in places:
        i = int(np.searchsorted(ends, place, side="right"))
        latest = max(length[names[i]] - frames, 0)
        picks.append((names[i], int(np.clip(place - (ends[i] - length[names[i]]) - frames // 2, 0, latest))))
    return picks


class LabelSampler:
    """Picks around labelled bouts, behaviours drawn against their frequency; every other pick anywhere in the spans."""

    UNIFORM = 0.4

    def __init__(self, corpus: Corpus, frames: int, balance: float):
        self.frames = frames
        self.length = {name: corpus.frames(name) for name in corpus.names}
        labels = corpus.labels
        self.spans = [(n, a, b) for n, y in labels.items() for a, b in find_bouts((y != NOT_SCORED).any(1))]
        if not self.spans:
            raise ValueError("no labelled frame in any training session: at least one needs labels")
        self.bouts = [
            [(n, a, b) for n, y in labels.items() for a, b in find_bouts(y[:, c] == 1)]
            for c in range(next(iter(labels.values())).shape[1])
        ]
        seconds = np.array([sum(b - a for _, a, b in bouts) for bouts in self.bouts], float)
        weight = np.where(seconds > 0, np.maximum(seconds, 1) ** -balance, 0)
        self.share = weight / weight.sum() if weight.sum() else None

    def draw(self, batch: int, rng: np.random.Generator) -> list[tuple[str, int]]:
        return [self._one(rng) for _ in range(batch)]

    def _one(self, rng: np.random.Generator) -> tuple[str, int]:
        if self.share is None or rng.random() < self.UNIFORM:
            size = np.array([b - a for _, a, b in self.spans], float)
            name, start, stop = self.spans[rng.choice(len(self.spans), p=size / size.sum())]
        else:
            bouts = self.bouts[rng.choice(len(self.bouts), p=self.share)]
            name, start, stop = bouts[rng.integers(len(bouts))]
        centre = rng.integers(start, stop) + rng.integers(-self.frames // 3, self.frames // 3 + 1)
        return name, int(np.clip(centre - self.frames // 2, 0, max(self.length[name] - self.frames, 0)))
