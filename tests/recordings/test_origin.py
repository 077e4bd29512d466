import hashlib
import json

from rbc.recordings.origin import describe_data, load_origin, save_origin


def test_a_folder_is_known_by_its_name_and_its_manifest(tmp_path):
    root = tmp_path / "my_rats"
    root.mkdir()
    assert describe_data(root) == {"name": "my_rats", "manifest": ""}
    (root / "sessions.csv").write_text("session,animal\nF1D1,F1\n")
    described = describe_data(root)
    assert described == {"name": "my_rats", "manifest": hashlib.sha256(b"session,animal\nF1D1,F1\n").hexdigest()[:12]}
    (root / "sessions.csv").write_text("session,animal\nF1D1,F2\n")
    assert describe_data(root)["manifest"] != described["manifest"]
    save_origin(root, tmp_path)
    assert load_origin(tmp_path) == describe_data(root)


def test_a_simulated_world_says_which_it_is(tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth/world.json").write_text(json.dumps({"world": "first", "size": "default", "seed": 20, "table": "x"}))
    assert describe_data(tmp_path)["name"] == "simulated first default seed 20"


def test_a_layout_without_a_manifest_is_known_by_its_files(tmp_path):
    (tmp_path / "IMU").mkdir()
    (tmp_path / "IMU/samples_F1D1.npy").touch()
    one = describe_data(tmp_path)["manifest"]
    (tmp_path / "IMU/samples_F1D2.npy").touch()
    two = describe_data(tmp_path)["manifest"]
    assert len(one) == len(two) == 12 and one != two
