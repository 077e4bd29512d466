"""Who may learn from what: roles of sessions, the one door to labels, and the ledger of what loaders really served.

Stages get labels only through `view`. Loaders write every frame they serve into a `Ledger`, saved beside the weights as
trained_on.json. `check_no_leak` intersects the ledgers' union with the frames that evaluate is about to score.

A ledger's role says what the frames were served for. "train" (or any other word) means that weights or scaling learned
from them. "calibration" means that only thresholds, temperature, mix weights or decoder settings were fitted to them,
and that each animal's own were fitted without it (calibration.cross_fit). That is the one overlap with scored frames
that is no leak, and only where the caller declares the scored settings cross-fitted and the session's role is
validation: settings that ship are fitted on all validation animals, so a test session never appears in calibration.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

ROLES = ("train", "validation", "test")
RUNGS = ("new_session", "new_day", "new_animal")
GROUPINGS = ("animal", "session")
CONTENTS = ("signals", "labels")
MODES = ("inductive", "online", "transductive")
CALIBRATION = "calibration"
NOT_SCORED = -1
SHOWN_LEAKS = 20

Interval = tuple[int, int]


class SplitError(ValueError):
    """A split that does not fit the recordings."""


class LeakError(ValueError):
    """Frames that are to be scored, or sessions outside the training role, were served to a stage that learns."""


def assign(sessions: Mapping[str, str], by: str, validation: Iterable[str], test: Iterable[str]) -> dict[str, str]:
    """Role of every session, {session: role}; what neither list names is training.

    sessions: {session: animal}. by: "animal" or "session", what the lists name.
    Raises one SplitError that lists every name that matches nothing or is in both lists, and an empty training role.
    """
    if by not in GROUPINGS:
        raise SplitError(f"split.by is {by!r}; needs one of {', '.join(GROUPINGS)}")
    group_of = {name: animal if by == "animal" else name for name, animal in sessions.items()}
    known = sorted(set(group_of.values()))
    wanted = {"validation": list(validation), "test": list(test)}
    problems = [f"split.{role} names {name!r}, which is no {by} of these recordings (known: {', '.join(known)})"
                for role, names in wanted.items() for name in names if name not in known]
    problems += [f"{name!r} is in split.validation and in split.test; a group has one role"
                 for name in wanted["validation"] if name in wanted["test"]]
    role_of = {name: role for role, names in wanted.items() for name in names}
    roles = {name: role_of.get(group, "train") for name, group in group_of.items()}
    if not problems and "train" not in roles.values():
        problems.append(f"no {by} is left for training: split.validation and split.test name all of {', '.join(known)}")
    if problems:
        raise SplitError("\n".join(problems))
    return roles


def view(session, role: str, roles: Mapping[str, str]) -> np.ndarray:
    """Labels (T, C) i1 of the session as `role` may see them: -1 everywhere unless the session has that role."""
    if role not in ROLES:
        raise ValueError(f"role {role!r}; needs one of {', '.join(ROLES)}")
    if roles[session.name] == role:
        return np.array(session.labels, dtype=np.int8)
    return np.full(session.labels.shape, NOT_SCORED, dtype=np.int8)


def folds(groups: int, members: int) -> np.ndarray:
    """(E, G) bool: which groups each member of an ensemble does not learn from, so that it can judge them. Every group
    is left out by some member, by as many as any other where members allow; a single member or group leaves none out.
    """
    count = min(groups, members)
    fold = np.arange(members)[:, None] % count == np.arange(groups)[None] % count
    return fold & (count > 1)


def rungs(scored: Iterable[str], training: Iterable[str], animals: Mapping[str, str],
          days: Mapping[str, str]) -> dict[str, str]:
    """How new each scored session is to a model that learnt from the training sessions, {session: one of RUNGS}.

    new_animal: no training session is of its animal. new_day: some are, none of them of its day. new_session: some are of
    its animal and day. A day that the manifest leaves empty ("") may be any day: new_session, the least of the claims.
    """
    known: dict[str, set[str]] = {}
    for name in training:
        known.setdefault(animals[name], set()).add(days[name])

    def rung(animal: str, day: str) -> str:
        if animal not in known:
            return "new_animal"
        return "new_session" if day == "" or known[animal] & {day, ""} else "new_day"

    return {name: rung(animals[name], days[name]) for name in scored}


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """The same frames as sorted half-open intervals [start, stop) that neither overlap nor touch."""
    merged: list[list[int]] = []
    for start, stop in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], stop)
        else:
            merged.append([start, stop])
    return [(start, stop) for start, stop in merged]


class Ledger:
    """Frames that were served, as half-open intervals per session, content and role."""

    PENDING = 512  # unmerged entries kept before merging, so that recording a crop stays cheap

    def __init__(self) -> None:
        self._served: dict[tuple[str, str, str], list[Interval]] = {}
        self._limit: dict[tuple[str, str, str], int] = {}

    def record(self, session: str, start: int, stop: int, what: str, role: str) -> None:
        """Note that frames [start, stop) of the session's signals or labels were served for `role`."""
        if what not in CONTENTS:
            raise ValueError(f"{session}: what is {what!r}; needs one of {', '.join(CONTENTS)}")
        if start < 0 or stop < start:
            raise ValueError(f"{session}: frames [{start}, {stop}) are no interval")
        if start == stop:
            return
        key = (session, what, role)
        entries = self._served.setdefault(key, [])
        entries.append((int(start), int(stop)))
        if len(entries) > self._limit.get(key, self.PENDING):
            self._served[key] = merge(entries)
            self._limit[key] = 2 * len(self._served[key]) + self.PENDING

    def intervals(self) -> dict[tuple[str, str, str], list[Interval]]:
        """Merged intervals by (session, what, role), in sorted order."""
        return {key: merge(self._served[key]) for key in sorted(self._served)}

    def union(self, *others: "Ledger") -> "Ledger":
        """A new ledger that holds what this one and the others hold."""
        joined = Ledger()
        for ledger in (self, *others):
            for key, entries in ledger._served.items():
                joined._served.setdefault(key, []).extend(entries)
        joined._served = joined.intervals()
        return joined

    def overlap(self, session: str, start: int, stop: int, what: str, context: int) -> list[tuple[int, int, str]]:
        """Served parts (start, stop, role) of frames [start - context, stop + context) of the session."""
        low, high = max(start - context, 0), stop + context
        return [(max(a, low), min(b, high), role)
                for (name, content, role), entries in self.intervals().items() if (name, content) == (session, what)
                for a, b in entries if a < high and b > low]

    def save(self, path: Path) -> None:
        """Write trained_on.json: {session: {what: {role: [[start, stop], ...]}}}, sorted, a line per session."""
        tree: dict[str, dict] = {}
        for (session, what, role), entries in self.intervals().items():
            tree.setdefault(session, {}).setdefault(what, {})[role] = entries
        lines = [f"{json.dumps(s)}:{json.dumps(tree[s], separators=(',', ':'), sort_keys=True)}" for s in sorted(tree)]
        Path(path).write_text("{\n" + ",\n".join(lines) + "\n}\n")

    @classmethod
    def load(cls, path: Path) -> "Ledger":
        """The ledger that `save` wrote."""
        ledger = cls()
        for session, contents in json.loads(Path(path).read_text()).items():
            for what, by_role in contents.items():
                for role, entries in by_role.items():
                    for start, stop in entries:
                        ledger.record(session, start, stop, what, role)
        return ledger

    def state(self) -> list:
        """What was served, as plain values for a checkpoint."""
        return [[*key, [list(entry) for entry in entries]] for key, entries in self.intervals().items()]

    def restore(self, state: list) -> None:
        """Go back to a state()."""
        self._served = {(session, what, role): [tuple(e) for e in entries] for session, what, role, entries in state}
        self._limit = {}


def check_no_leak(ledger: Ledger, scored: Mapping[str, Iterable[Interval]], *, roles: Mapping[str, str], context: int,
                  mode: str = "inductive", cross_fitted: bool = False) -> None:
    """Raise LeakError naming session, frames, content and role of every overlap that must not be.

    scored: {session: [(start, stop), ...]} frames about to be scored. context: frames that a decision reads to each
    side. A leak is (1) anything served of scored frames ± context, (2) anything served of another frame or session
    whose role is not train, for no animal outside training may teach. mode "transductive" lets signals, not labels, be
    served; "online" adapts to past signals inside evaluate, so that what stages read before it is held to "inductive".
    cross_fitted: the settings applied to each scored session were fitted without its animal; calibration on validation
    sessions is then no leak. On test sessions it always is.
    """
    if mode not in MODES:
        raise ValueError(f"mode {mode!r}; needs one of {', '.join(MODES)}")
    near = {name: merge((max(a - context, 0), b + context) for a, b in spans) for name, spans in scored.items()}
    leaks = []
    for (session, what, role), entries in ledger.intervals().items():
        if what == "signals" and mode == "transductive":
            continue
        outside = roles.get(session) != "train"
        if role == CALIBRATION and roles.get(session) == "validation" and (cross_fitted or session not in near):
            continue
        overlaps = [(max(a, low), min(b, high)) for a, b in entries for low, high in near.get(session, ())
                    if a < high and b > low]
        if overlaps:
            leaks += [f"{session}: {what} of frames {a}-{b} served as {role!r} are scored (or within the {context} "
                      f"frames of context)" for a, b in overlaps]
        elif outside:
            leaks += [f"{session}: {what} of frames {a}-{b} served as {role!r}, but the session's role is "
                      f"{roles.get(session, 'unknown')}" for a, b in entries]
    if leaks:
        more = [f"... and {len(leaks) - SHOWN_LEAKS} more"] if len(leaks) > SHOWN_LEAKS else []
        raise LeakError("\n".join([f"{len(leaks)} leaks in {mode} mode:", *leaks[:SHOWN_LEAKS], *more]))
