"""Which stage of the pipeline a run has come to. Bars inside a stage show the time that is left of it."""

import re
import sys
from pathlib import Path

PIPELINE = Path("dvc.yaml")


def stage_line(out: Path) -> str:
    """`stage 4 of 8: finetune` of the output data/finetune, counted in the working directory's dvc.yaml; empty for an
    output that is none of its stages'."""
    if out.parent != Path("data") or not PIPELINE.exists():
        return ""
    stages = re.findall(r"^  (\w+):\s*$", PIPELINE.read_text(encoding="utf-8").partition("\nstages:")[2], flags=re.MULTILINE)
    return f"stage {stages.index(out.name) + 1} of {len(stages)}: {out.name}" if out.name in stages else ""


def announce(out: Path) -> None:
    """Print the stage's line, if it has one, to stderr."""
    line = stage_line(out)
    if line:
        print(line, file=sys.stderr, flush=True)
