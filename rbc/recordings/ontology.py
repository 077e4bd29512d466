"""What a user says of how behaviours relate: which exclude and which imply each other, and what else they are called.

T frames, C behaviours.
"""

from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from rbc.recordings.annotations import Annotation
from rbc.recordings.raw import Raw
from rbc.recordings.session import ABSENT, NOT_SCORED, PRESENT
from rbc.recordings.tables import near


@dataclass(frozen=True)
class Ontology:
    exclusive: tuple[tuple[str, ...], ...] = ()
    """Groups of behaviours of which a frame carries one at most."""
    implies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Behaviour -> those that are there whenever it is."""
    aliases: dict[str, str] = field(default_factory=dict)
    """Name in label files -> the behaviour that it means."""
    definitions: dict[str, str] = field(default_factory=dict)
    """Behaviour -> how annotators tell it."""

    def problems(self, behaviours: tuple[str, ...]) -> list[str]:
        """Every name that is none of the behaviours, and whatever contradicts itself."""
        found = []

        def known(place: str, name: str) -> None:
            if name not in behaviours:
                found.append(f"data.ontology.{place}: unknown behaviour {name!r}{near(name, behaviours)}; "
                             f"data.behaviours knows {', '.join(behaviours)}")  # fmt: skip

        for group in self.exclusive:
            for name in group:
                known("exclusive", name)
            if len(set(group)) < max(len(group), 2):
                found.append(f"data.ontology.exclusive: {', '.join(group) or '[]'}; needs two names or more, each once")
        for name, others in self.implies.items():
            for other in (name, *others):
                known("implies", other)
            found += [
                f"data.ontology: {name} implies {other}, and {', '.join(group)} exclude each other; needs one of them"
                for other in others for group in self.exclusive if {name, other} <= set(group) and name != other
            ]
        for alias, name in self.aliases.items():
            known(f"aliases.{alias}", name)
            if alias in behaviours:
                found.append(f"data.ontology.aliases: {alias!r} is a behaviour itself; needs another name for {name!r}")
        for name in self.definitions:
            known("definitions", name)
        return list(dict.fromkeys(found))

    def told(self, behaviour: str) -> str:
        """A behaviour with its definition, where it has one."""
        definition = self.definitions.get(behaviour)
        return f"{behaviour} ({definition})" if definition else behaviour

    def conflicts(self, labels: np.ndarray, behaviours: tuple[str, ...]) -> tuple[dict[str, int], np.ndarray]:
        """Frames of each kind of contradiction ('walk with still', 'rearing without stand_up') and all of them (T,)."""
        column = {name: np.asarray(labels[:, c]) for c, name in enumerate(behaviours)}
        kinds: dict[str, np.ndarray] = {}
        for group in self.exclusive:
            for a, b in combinations([name for name in group if name in column], 2):
                kinds[f"{a} with {b}"] = (column[a] == PRESENT) & (column[b] == PRESENT)
        for name, others in self.implies.items():
            for other in others:
                if name in column and other in column:
                    kinds[f"{name} without {other}"] = (column[name] == PRESENT) & (column[other] == ABSENT)
        counts = {kind: int(frames.sum()) for kind, frames in kinds.items() if frames.any()}
        return counts, np.any(list(kinds.values()), axis=0) if kinds else np.zeros(len(labels), bool)


NO_ONTOLOGY = Ontology()


def translate(raw: Raw, aliases: dict[str, str]) -> Raw:
    """The recording with aliases replaced by their behaviours in its labels and in what was scored."""
    if not aliases:
        return raw
    scored = raw.row.scored and tuple(dict.fromkeys(aliases.get(name, name) for name in raw.row.scored))
    return replace(
        raw, row=replace(raw.row, scored=scored), consensus=raw.consensus and _rename(raw.consensus, aliases),
        annotators={who: _rename(annotation, aliases) for who, annotation in raw.annotators.items()},
    )


def _rename(annotation: Annotation, aliases: dict[str, str]) -> Annotation:
    """Two columns that become one are present where either is, and absent where both are."""
    names = [aliases.get(name, name) for name in annotation.behaviours]
    behaviours = tuple(dict.fromkeys(names))
    bouts = tuple((aliases.get(what, what), start, stop) for what, start, stop in annotation.bouts)
    frames = annotation.frames
    if frames is not None:
        same = [frames[:, [c for c, other in enumerate(names) if other == name]] for name in behaviours]
        tests = [((x == PRESENT).any(1), (x == ABSENT).all(1)) for x in same]
        frames = np.stack([np.select(t, [PRESENT, ABSENT], NOT_SCORED) for t in tests], axis=1).astype(np.int8)
    return replace(annotation, behaviours=behaviours, bouts=bouts, frames=frames)
