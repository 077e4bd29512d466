"""What a checked folder holds, as text."""

from rbc.recordings.checking import Checked
from rbc.recordings.names import SHOWN, alike, few
from rbc.recordings.ontology import NO_ONTOLOGY, Ontology


def summary(found: Checked, ontology: Ontology = NO_ONTOLOGY) -> str:
    """Sessions, animals, minutes, labelled minutes, modalities and behaviours with their definitions, then what is odd
    session by session."""
    looks = found.looks
    used = [row for row in found.rows if row.session in looks]
    animals = dict.fromkeys(row.animal for row in used)
    seconds = sum(look.length_s for look in looks.values())
    labelled = sum(look.labelled_s for look in looks.values())
    kinds = {"imu and pose": (True, True), "imu alone": (True, False), "pose alone": (False, True)}
    modalities = {kind: sum((look.imu, look.pose) == has for look in looks.values()) for kind, has in kinds.items()}
    excluded = [f"{row.session} ({row.exclude})" for row in found.rows if row.exclude]
    facts = {
        "sessions": f"{len(looks)}" + (f", left out {few(excluded)}" if excluded else ""),
        "animals": f"{len(animals)}: {few(list(animals))}",
        "minutes": f"{seconds / 60:.1f}",
        "labelled minutes": f"{labelled / 60:.1f} in {sum(look.labelled_s > 0 for look in looks.values())} sessions",
        "modalities": ", ".join(f"{count} {kind}" for kind, count in modalities.items() if count),
        "keypoints": ", ".join(found.keypoints) or "none",
        "behaviours": ", ".join(map(ontology.told, found.behaviours)) or "none",
    }
    odd = [f"odd: {warning}" for warning in alike("animals", animals)]
    odd += [f"odd: {name}: {warning}" for name, look in looks.items() for warning in look.warnings]
    more = [f"odd: and {len(odd) - SHOWN} more"] if len(odd) > SHOWN else []
    return "\n".join([f"{name:<18}{text}" for name, text in facts.items()] + odd[:SHOWN] + more)
