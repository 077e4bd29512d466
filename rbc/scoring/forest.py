"""A random forest per behaviour on window statistics.

T frames, N rows, F features, C behaviours, W windows. Labels are 1, 0, -1 and the -1 differ by behaviour, hence a forest
for each. Windows are centred, given in frames, and shorter at the ends of a session.
"""

from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from sklearn.ensemble import RandomForestClassifier
from tqdm import tqdm

from rbc.scoring.splits import folds
from rbc.scoring.labels import NOT_SCORED, PRESENT

DRAWS = 10  # groups of trees, each with frames of its own
THREADS = 2


def window_features(x: np.ndarray, windows: Sequence[int], rows: np.ndarray | None = None) -> np.ndarray:
    """Features (T or rows, F * (1 + 5 W)) f4: x (T, F), then per window mean, deviation, minimum, maximum, and the mean
    of the half ahead less that of the half behind. The set of window statistics that SimBA and JABS use.

    Missing values (NaN) are left out of each window; NaN where a window holds none. rows: frames wanted, default all.
    """
    x = np.asarray(x, np.float32)
    rows = np.arange(len(x)) if rows is None else rows
    seen = np.isfinite(x)
    whole = bool(seen.all())
    filled = x if whole else np.where(seen, x, 0)
    centre = filled.mean(0, dtype=float) if len(x) else 0.0  # keeps the sums of squares small
    shifted = np.where(seen, filled - centre, 0)
    sums, squares, counts = _running(shifted), _running(shifted**2), _running(seen)
    out = np.empty((len(rows), 1 + 5 * len(windows), x.shape[1]), np.float32)
    out[:, 0] = x[rows]
    for i, window in enumerate(windows):
        half = max(window // 2, 1)
        low, high = np.maximum(rows - half, 0), np.minimum(rows + half + 1, len(x))

        def mean_between(a: np.ndarray, b: np.ndarray, total: np.ndarray = sums) -> np.ndarray:
            count = counts[b] - counts[a]
            return np.where(count > 0, (total[b] - total[a]) / np.maximum(count, 1), np.nan)

        mean = mean_between(low, high)
        spread = np.sqrt(np.maximum(mean_between(low, high, squares) - mean**2, 0))
        least = minimum_filter1d(filled if whole else np.where(seen, x, np.inf), 2 * half + 1, axis=0, mode="nearest")
        most = maximum_filter1d(filled if whole else np.where(seen, x, -np.inf), 2 * half + 1, axis=0, mode="nearest")
        known = np.isfinite(mean)
        found = (mean + centre, spread, np.where(known, least[rows], np.nan), np.where(known, most[rows], np.nan),
                 mean_between(rows, high) - mean_between(low, rows + 1))
        for k, statistic in enumerate(found, start=1 + 5 * i):
            out[:, k] = statistic
    return out.reshape(len(rows), out.shape[1] * out.shape[2])


def _running(values: np.ndarray) -> np.ndarray:
    """Sums (T + 1, F) f8 of all values in front of each frame."""
    total = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=total[1:])
    return total


def drawn_frames(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Sorted scored frames (n,) of one behaviour's labels (T,), at most `count` of them.

    Present frames are drawn up to half of `count`, more where absent ones are too few, and absent ones fill the rest.
    """
    present, absent = np.flatnonzero(labels == PRESENT), np.flatnonzero(labels == 0)
    keep = min(len(present), max(count // 2, count - len(absent)))
    fill = min(len(absent), count - keep)
    return np.sort(np.concatenate([rng.choice(present, keep, replace=False), rng.choice(absent, fill, replace=False)]))


@dataclass(frozen=True)
class Forest:
    """Trees that learnt which of C behaviours are present."""

    windows: Sequence[int]
    draws: list[list[RandomForestClassifier]]  # (C, DRAWS)
    left_out: np.ndarray  # (DRAWS, groups) which groups of frames each draw did not learn from
    places: dict[Hashable, int]  # of the groups

    @classmethod
    def grow(cls, train: Sequence[tuple[np.ndarray, np.ndarray]], groups: Sequence[str | np.ndarray], *,
             windows: Sequence[int], seed: int, trees: int = 100, max_frames: int = 30_000) -> "Forest":
        """train: (x (T, F), labels (T, C)) per session; groups: that of each session, such as its animal, or of each of
        its frames (T,).

        The trees grow in DRAWS draws, each on its own max_frames / DRAWS frames (`drawn_frames`: up to half of them
        present) of all but the groups that it leaves out (`folds`), with balanced class weights: neighbouring frames
        say the same, and on noise-made tracks with rare behaviours this scored higher than trees on all frames, at a
        tenth of the time. A behaviour of one class in training gets that class; one that is scored in a single group is
        not left out. Raises ValueError where no frame of some behaviour is scored.
        """
        rng = np.random.default_rng(seed)
        labels = np.concatenate([y for _, y in train])
        unscored = np.flatnonzero((labels == NOT_SCORED).all(0))
        if len(unscored):
            raise ValueError(f"no training frame is scored for behaviours {unscored.tolist()}")
        group = [g for own, (_, y) in zip(groups, train, strict=True) for g in np.broadcast_to(own, len(y)).tolist()]
        places = {g: i for i, g in enumerate(dict.fromkeys(group))}
        left_out = folds(len(places), DRAWS)
        place = np.array([places[g] for g in group], int)
        drawn = [[drawn_frames(_without(y, out[place]), max(max_frames // DRAWS, 2), rng) for out in left_out]
                 for y in labels.T]
        used = np.unique(np.concatenate([frames for draw in drawn for frames in draw]))
        border = np.cumsum([0, *(len(y) for _, y in train)])
        table = np.empty((len(used), train[0][0].shape[1] * (1 + 5 * len(windows))), np.float32)

        def fill(x: np.ndarray, start: int, stop: int) -> None:
            own = slice(*np.searchsorted(used, (start, stop)))
            table[own] = window_features(x, windows, used[own] - start)

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(fill, (x for x, _ in train), border[:-1], border[1:]))  # which raises what they raise
        sizes = np.diff(np.linspace(0, trees, DRAWS + 1).astype(int))
        forests = []
        behaviours = zip(labels.T == PRESENT, drawn, strict=True)
        for truth, draw in tqdm(behaviours, "grow forest", len(drawn), unit="behaviour", delay=1):
            forests.append([])
            for frames, size in zip(draw, sizes, strict=True):
                count = max(int(size), 1)
                forest = RandomForestClassifier(count, max_features="sqrt", min_samples_leaf=3,
                                                n_jobs=min(THREADS, count), class_weight="balanced",
                                                random_state=int(rng.integers(2**31)))
                forests[-1].append(forest.fit(table[np.searchsorted(used, frames)], truth[frames]))
                forest.n_jobs = 1  # sums over threads differ from call to call
        return cls(windows, forests, left_out, places)

    def probability(self, x: np.ndarray, rows: np.ndarray | None = None,
                    unseen: str | np.ndarray | None = None) -> np.ndarray:
        """(T, C), or (N, C) of the frames in `rows`, of a session's x (T, F); by the trees that did not learn from the
        group `unseen`, or that of each frame (N,), where it is given. Threads may ask side by side."""
        table = window_features(x, self.windows, rows)
        speak = np.ones((DRAWS, len(table)), bool)
        if unseen is not None:
            speak = self.left_out[:, [self.places[g] for g in np.broadcast_to(unseen, len(table)).tolist()]]
        said = np.zeros((len(table), len(self.draws)))
        for d in np.flatnonzero(speak.any(1)):
            own = table if speak[d].all() else table[speak[d]]
            for c, draw in enumerate(self.draws):
                said[speak[d], c] += _present(draw[d], own)
        return said / speak.sum(0)[:, None]


def _present(forest: RandomForestClassifier, table: np.ndarray) -> np.ndarray:
    """What is said (N,) of the rows of a table (N, F)."""
    share = forest.predict_proba(table)
    return share[:, 1] if len(forest.classes_) == 2 else np.full(len(table), float(forest.classes_[0]))


def _without(labels: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Labels (T,) of one behaviour, not scored in the frames left out (T,) unless it is scored nowhere else."""
    rest = np.where(out, NOT_SCORED, labels)
    return rest if (rest != NOT_SCORED).any() else labels
