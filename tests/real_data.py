"""Folders of public recordings beside the checkout: tests that want one skip where it is not."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("RBC_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def folder(name: str) -> Path:
    path = ROOT / name
    if not (path / "sessions.csv").exists():
        pytest.skip(f"no {name} recordings (set RBC_REAL_DATA to a folder that holds them)")
    return path
