"""Are these recordings fit to be learnt from? `python -m rbc.check DIR`: every problem, in seconds, nothing trained.

DIR holds a sessions.csv (or an older layout), as data.root does. Where there is a params.yaml here, its settings count:
the animal's pattern and the axes of the body always, behaviours and ontology where its data.root is DIR. Elsewhere
every behaviour that the label files name is taken.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rbc.params import ParamsError, load
from rbc.recordings.settings import Settings
from rbc.recordings.checking import check_all
from rbc.recordings.drafting import draft_manifest
from rbc.recordings.errors import RecordingError
from rbc.recordings.ontology import Ontology
from rbc.recordings.summary import summary

PARAMS = Path("params.yaml")
PATTERN = r"^[A-Z]+\d+?(?=D\d)"
ALONE = Settings((), (), rate_hz=50.0, min_likelihood=0.6, max_gap_s=0.2, min_clock_correlation=0.3, body_axis=(),
                 head_axis=())  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """0, with what was found on stdout; or 1 with one message that lists every problem."""
    parser = argparse.ArgumentParser("rbc.check", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recordings", type=Path, metavar="DIR", help="folder of the recordings")
    parser.add_argument("--fix-manifest", action="store_true",
                        help="write a first DIR/sessions.csv from the files found, and say what is left to fill in")
    chosen = parser.parse_args(arguments)
    try:
        data = load(PARAMS).data if PARAMS.exists() else None
        if chosen.fix_manifest:
            print(draft_manifest(chosen.recordings, data.animal_pattern if data else PATTERN))
        else:
            print(check(chosen.recordings))
    except (RecordingError, ParamsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def check(recordings: Path) -> str:
    """Text of what there is. Raises RecordingError with all that is wrong."""
    if not PARAMS.exists():
        found = check_all(recordings, ALONE, animal_pattern=PATTERN, ontology=Ontology())
        return f"{summary(found)}\nno {PARAMS} here: no axis of the body is known, turning was not compared"
    params = load(PARAMS)
    data, ours = params.data, Path(params.data.root).resolve() == recordings.resolve()
    settings = Settings(
        data.behaviours if ours else (), (), **params.align_data.model_dump(), body_axis=data.body_axis,
        head_axis=data.head_axis,
    )
    ontology = Ontology(**data.ontology.model_dump()) if ours else Ontology()
    found = check_all(recordings, settings, animal_pattern=data.animal_pattern, ontology=ontology)
    unknown = [name for name in found.behaviours if name not in data.behaviours] if data.behaviours else []
    note = f"\nnot in data.behaviours, which this run would need: {', '.join(unknown)}" if unknown else ""
    return summary(found, ontology) + note


if __name__ == "__main__":
    sys.exit(main())
