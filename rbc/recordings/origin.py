"""Which recordings scores belong to: a name for people and a hash of the manifest, written by align_data."""

import hashlib
import json
import os
from pathlib import Path

from rbc.recordings.layouts import find_layout

FILE = "data.json"
MANIFEST = "sessions.csv"
WORLD = "truth/world.json"
"""The simulator's note of what it made: world, size, seed."""


def describe_data(root: Path) -> dict[str, str]:
    """{name, manifest} of the recordings below `root`: the folder's name, or which simulated world it is; and twelve hex
    digits of the SHA-256 of sessions.csv, or of the list of files of a layout without one. Manifest "" where neither is."""
    root = Path(root)
    name, table = os.path.basename(os.path.abspath(root)), root / MANIFEST
    if (root / WORLD).exists():
        made = json.loads((root / WORLD).read_text())
        name = f"simulated {made['world']} {made['size']} seed {made['seed']}"
    if table.exists():
        content = table.read_bytes()
    else:
        rows = find_layout(root)
        content = json.dumps(rows, sort_keys=True).encode() if rows else b""
    return {"name": name, "manifest": hashlib.sha256(content).hexdigest()[:12] if content else ""}


def save_origin(root: Path, aligned: Path) -> None:
    """Write the description of the recordings below `root` beside the aligned sessions."""
    (Path(aligned) / FILE).write_text(json.dumps(describe_data(root), indent=1) + "\n")


def load_origin(aligned: Path) -> dict[str, str]:
    """What `save_origin` wrote."""
    return json.loads((Path(aligned) / FILE).read_text())
