"""Prints the scores of the last run: `python -m rbc.report` (in the repository root)."""

import json
import sys
from pathlib import Path

from rbc.figures.table import score_table

FILES = ("metrics/evaluate.json", "metrics/test.json")


def main() -> int:
    """0 once every score file that exists is printed; 1 with a message where there is none."""
    found = {path: json.loads(path.read_text()) for path in map(Path, FILES) if path.exists()}
    if not found:
        print(f"{FILES[0]} is not there yet: run `dvc repro` in the repository root first.", file=sys.stderr)
        return 1
    for path, scores in found.items():
        print(f"{path}\n{score_table(scores) if scores else 'no animal of this role had labels'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
