"""Labels that a second opinion contradicts: annotators miss bouts and take one behaviour for another.

The opinion (T, C) must come from a model that has not learnt these labels, or that has not learnt them by heart. The cuts
are by behaviour, as in confident learning (arXiv 1911.00068), so that rare ones keep theirs. T frames, C behaviours, A
annotators; a track of labels is (T, C) or (A, T, C).
"""

from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rbc.learning.edges import with_edges
from rbc.scoring.labels import ABSENT, NOT_SCORED, PRESENT, Habits, bouts, shown_elsewhere, with_slack

OPINION = "opinion"
BOUT_DOUBT = 0.3  # of the way from what is said of absent frames to what is said of present ones
MISSED = 0.5  # the least that is said of a frame that looks as if its bout had been missed
APART = 0.05  # share of either's frames that two behaviours may have in common and still not go together
UNLIKELY, LIKELY = 0.3, 0.4  # of a bout that is another behaviour's: what is said of the one, and of the other
VAGUE = 0.15  # the most that may be said of absent frames on average of a behaviour that others are corrected to


class Opinions(NamedTuple):
    """What is said (T, C) of labelled sessions, by name; NaN in frames that nobody scored."""

    learnt: Mapping[str, np.ndarray]  # by a model that has learnt the labels: it knows every animal, and where edges are
    blind: Mapping[str, np.ndarray] = {}  # by one that has not learnt the frame it speaks of; NaN of what it does not know

    def write(self, folder: Path) -> None:
        """Save them, as f2."""
        (folder / OPINION).mkdir(exist_ok=True)
        for name, said in self.learnt.items():
            blind = {"blind": self.blind[name].astype(np.float16)} if name in self.blind else {}
            np.savez(folder / OPINION / f"{name}.npz", learnt=said.astype(np.float16), **blind)

    @classmethod
    def read(cls, folder: Path) -> "Opinions":
        """What `write` left in a folder; nothing where no labels were proofread."""
        found = {}
        for path in sorted((folder / OPINION).glob("*.npz")):
            with np.load(path, allow_pickle=False) as file:
                found[path.stem] = dict(file)
        return cls(*({n: said[who] for n, said in found.items() if who in said} for who in cls._fields))


def as_read(labels: Mapping[str, np.ndarray], opinions: Opinions, groups: Mapping[str, Hashable],
            habits: Habits) -> dict[str, np.ndarray]:
    """Tracks as training reads them: `proofread`, once they are `edged`."""
    return proofread(edged(labels, opinions, habits), opinions, groups)


def edged(labels: Mapping[str, np.ndarray], opinions: Opinions, habits: Habits) -> dict[str, np.ndarray]:
    """Tracks with bouts that begin and end where the opinion says, as of `with_edges`; where there is no opinion, or
    annotators do not scatter, frames in the slack around bouts are not scored."""
    moving = opinions.learnt if habits.spread_s else {}
    moved = with_edges(labels, moving, habits)
    return {n: y if n in moving else with_slack(y, *habits.slack) for n, y in moved.items()}


def proofread(labels: Mapping[str, np.ndarray], opinions: Opinions, groups: Mapping[str, Hashable]) -> dict[str, np.ndarray]:
    """Tracks without what the opinions call slips: a bout that is `called_otherwise` is given to those behaviours, where
    they hardly ever go with the annotated one, and a frame annotated as absent of which as much is said as of the present
    ones on average is not scored.

    Sessions without an opinion keep their labels. groups: animal of every session; what a single one shows is not
    doubted. Of a behaviour that is said of absent frames all the time nothing is believed.
    """
    said = {n: opinions.learnt[n] for n in labels if n in opinions.learnt}
    if not said:
        return dict(labels)
    asked = shown_elsewhere({n: labels[n] for n in said}, groups)
    high, low = _means(asked, said)
    clear, apart, out = low <= VAGUE, _apart(asked), dict(labels)
    for name, y in asked.items():
        missed = (y == ABSENT) & clear & (said[name] >= np.maximum(high, MISSED))
        out[name] = np.where(missed, np.int8(NOT_SCORED), labels[name])
        tracks, shown = (x.reshape(-1, *said[name].shape) for x in (out[name], y))
        blind = opinions.blind.get(name, said[name])
        blind = np.where(np.isnan(blind), said[name], blind)
        for a, c, start, stop in bouts(y):
            heard, unbiased, here = said[name][start:stop], blind[start:stop], shown[a, start:stop]  # (t, C)
            other = clear & apart[c] & (here == ABSENT).any(0) & ~(here == PRESENT).any(0)
            other &= called_otherwise(c, *(x.mean(0, dtype=np.float32) for x in (heard, unbiased)))
            if other.any():
                tracks[a, start:stop, c] = ABSENT
                tracks[a, start:stop][other & (here == ABSENT)] = PRESENT
    return out


def called_otherwise(c: int, learnt: np.ndarray, blind: np.ndarray) -> np.ndarray:
    """(C,) bool: what a bout of behaviour c is called instead, by what is said of it (C,): by one of the two, where the
    other does not find that unlikely."""
    pairs = ((learnt, blind), (blind, learnt))
    return np.any([(said > LIKELY) & (said[c] < UNLIKELY) & (other > UNLIKELY) for said, other in pairs], axis=0)


def without_doubtful(labels: Mapping[str, np.ndarray], opinion: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tracks in which labels that the opinion contradicts are not scored: absent where it is as high as on average where
    the behaviour was annotated, present where it is as low as on average where it was not, and whole bouts over which
    its mean is little higher than that: what is said of a bout's frames is surer together."""
    high, low = _means(labels, opinion)
    out = {}
    for name, y in labels.items():
        doubtful = ((y == ABSENT) & (opinion[name] >= high)) | ((y == PRESENT) & (opinion[name] <= low))
        doubtful |= over_bouts(opinion[name], y) <= low + BOUT_DOUBT * (high - low)
        out[name] = np.where(doubtful, NOT_SCORED, y).astype(y.dtype)
    return out


def slips(labels: Mapping[str, np.ndarray],
          read: Mapping[str, np.ndarray]) -> Iterator[tuple[str, int, int, int, int, int]]:
    """Session, annotator (0 of a single track), behaviour, start and stop of every stretch of labels that proofreading
    has changed, and the state that it was read as."""
    for name, y in labels.items():
        tracks, others = (x.reshape(-1, *x.shape[-2:]) for x in (y, read[name]))
        for state in (PRESENT, ABSENT, NOT_SCORED):
            changed = np.where((tracks != others) & (others == state), np.int8(PRESENT), np.int8(ABSENT))
            for a, c, start, stop in bouts(changed):
                yield name, a, c, start, stop, state


def over_bouts(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Values (T, C) averaged over each annotated bout of labels (T, C) or (A, T, C), of that shape; NaN outside bouts."""
    out = np.full(labels.shape, np.nan, np.float32)
    tracks = out.reshape(-1, *values.shape)
    for a, c, start, stop in bouts(labels):
        tracks[a, start:stop, c] = values[start:stop, c].mean()
    return out


def _means(labels: Mapping[str, np.ndarray], opinion: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(C,) each: mean of what is said of present and of absent frames of all sessions, as far as anything is; NaN, which
    nothing reaches, where there are none."""
    columns = ([x.reshape(-1, x.shape[-1]) for x in np.broadcast_arrays(opinion[n], y)] for n, y in labels.items())
    said, pooled = (np.concatenate(column) for column in zip(*columns, strict=True))
    return tuple(_mean_where(said, (pooled == state) & ~np.isnan(said)) for state in (PRESENT, ABSENT))


def _mean_where(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(C,) mean of values (N, C) where the mask holds; NaN, which nothing reaches, where it never does."""
    total = np.where(mask, values, 0).sum(0, dtype=np.float64)
    return np.where(mask.any(0), total / np.maximum(mask.sum(0), 1), np.nan)


def _apart(labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """(C, C) bool: behaviours that hardly ever go together, in the tracks of all sessions."""
    shown = np.concatenate([y.reshape(-1, y.shape[-1]) for y in labels.values()]) == PRESENT
    both = shown.T.astype(np.float64) @ shown
    least = np.maximum(np.minimum.outer(shown.sum(0), shown.sum(0)), 1)
    return (both < APART * least) & ~np.eye(len(both), dtype=bool)
