"""Prints the scores of the last run: `python -m rbc.report` (in the repository root)."""

import json
import sys
from pathlib import Path

from rbc.figures.table import score_table

FILES = ("metrics/evaluate.json", "metrics/test.json")


def main() -> int:
    """0 once every score file that exists is printed; 1 with a message where there is none."""
    paths = [path for path in map(Path, FILES) if path.exists()]
    if not paths:
        print(f"{FILES[0]} is not there yet: run `dvc repro` in the repository root first.", file=sys.stderr)
        return 1
    for path in paths:
        print(f"{path}\n{score_table(json.loads(path.read_text()))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
