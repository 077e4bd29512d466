"""Prints the scores of the last run: `python -m rbc.report` (in the repository root)."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from rbc.figures.table import score_table
from rbc.params import load
from rbc.recordings.origin import describe_data

FILES = {"metrics/evaluate.json": "dvc repro", "metrics/test.json": "make final"}  # what writes them
NEXT = """Where to look next
  plots/align_data.html           every session: clocks, gaps, mounting, which ones are unlike the others
  plots/evaluate_ethogram.html    labels and decisions over time, session by session
  data/finetune/label_errors.csv  labels that are likely errors, the surest first: look at the video there
  dvc metrics diff                what this run changed against the last commit
  docs/guide.md, docs/scoring.md  what to do next, and what the scores mean
"""


def main() -> int:
    """0 once every score file that exists is printed or said to be of other recordings; 1 where there is none."""
    found = {path: json.loads(path.read_text()) for path in map(Path, FILES) if path.exists()}
    if not found:
        print(f"{next(iter(FILES))} is not there yet: run `dvc repro` in the repository root first.", file=sys.stderr)
        return 1
    root = load().data.root
    own = describe_data(Path(root))
    if not own["manifest"]:
        print(f"{root} (data.root) is not here: whether these are its scores is not known")
    for path, scores in found.items():
        print(section(path, scores, own["manifest"]))
    print(NEXT, end="")
    return 0


def section(path: Path, scores: Mapping, manifest: str) -> str:
    """What is printed of a score file; `manifest` is the hash of the recordings that are at hand, "" if there are none."""
    if not scores:
        return f"{path}\nno animal of this role had labels"
    data = scores.get("data", {"name": "not named", "manifest": ""})  # by an earlier release
    if manifest and data["manifest"] != manifest:
        return f"{path}: scores of another data set ({data['name']}), not shown; `{FILES[path.as_posix()]}` scores yours"
    return f"{path}\n{score_table(scores)}"


if __name__ == "__main__":
    sys.exit(main())
