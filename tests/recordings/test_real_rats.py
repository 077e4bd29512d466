"""The whole folder of rat pairs, aligned as params/rats.yaml says, counts what its README counts."""

from pathlib import Path

import numpy as np
import yaml
from real_data import folder
from recorded import read_manifest

from rbc.features import session_features
from rbc.recordings.annotations import read_annotations
from rbc.recordings.preparation import align_all
from rbc.recordings.session import load_sessions
from rbc.signals import Recipe

PARAMS = Path(__file__).resolve().parents[2] / "params"


def settings() -> dict:
    """params.yaml with the overlay laid over the sections that are read here."""
    base, overlay = (yaml.safe_load(path.read_text()) for path in (PARAMS.parent / "params.yaml", PARAMS / "rats.yaml"))
    return {section: base[section] | overlay.get(section, {}) for section in ("data", "align_data", "split")}


def test_40_videos_of_12000_annotated_frames_each(tmp_path):
    root, params = folder("rats"), settings()
    read = ("behaviours", "animal_pattern", "body_axis", "head_axis")
    data = {name: v if isinstance(v, str) else tuple(v) for name, v in params["data"].items() if name in read}
    table = align_all(root, tmp_path / "out", progress=False, **data, **params["align_data"])
    assert len(table) == 40 and (table["labelled_frames"] == 12_000).all()
    assert 13_900 < table["frames"].mean() < 14_900 and (table["missing_imu"] == 1).all()
    sessions = load_sessions(tmp_path / "out")
    session = sessions["r01"]
    assert session.keypoints == ("top", "body", "tail", "tail-m", "tail-e") and session.imu_names == ()
    assert all(s.other.shape == (len(s), 2, 3) for s in sessions.values())
    recipe = Recipe(session.rate_hz, session.keypoints, data["body_axis"], data["head_axis"], (), (), (), (), others=True)
    context = session_features(session, recipe)[:, -10:]
    assert np.isfinite(context).all(1).mean() > 0.2 and 0.5 < np.nanmedian(context[:, 0]) < 6
    assert set(session.behaviours) == set(data["behaviours"]) and len(session.behaviours) == 10


def test_rare_behaviours_are_in_every_role():
    root, split = folder("rats"), settings()["split"]
    rows = {row.session: row for row in read_manifest(root, "")}
    roles = {role: set(split[role]) for role in ("validation", "test")}
    roles["training"] = rows.keys() - set().union(*roles.values())
    assert split["by"] == "session" and len(roles["training"]) == 24 and not roles["validation"] & roles["test"]
    for sessions in roles.values():
        bouts = [what for s in sessions for what, *_ in
                 read_annotations(rows[s].labels[0][1], rows[s].span, rows[s].pose_rate_hz).bouts]  # fmt: skip
        assert min(bouts.count(name) for name in settings()["data"]["behaviours"]) >= 5
