"""Pose files beyond DeepLabCut's CSV: H5 tables of pandas, 3D, other trackers.

files/*.h5.gz were written by DataFrame.to_hdf(…, key="df_with_missing", mode="w"), format="table" but for fixed.h5;
the CSV beside them by to_csv of the same frames. Random whole numbers; frame 1 of single's tail is NaN.
"""

import gzip
import sys
import types
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from rbc.recordings.alignment import align
from rbc.recordings.deeplabcut import read_tracks
from rbc.recordings.errors import RecordingError
from rbc.recordings.manifest import Row
from rbc.recordings.raw import Raw
from rbc.recordings.settings import Settings

FILES = Path(__file__).parent / "files"


@pytest.fixture
def h5(tmp_path):
    """Path of an unpacked file."""

    def unpack(name: str) -> Path:
        path = tmp_path / f"{name}.h5"
        path.write_bytes(gzip.decompress((FILES / f"{name}.h5.gz").read_bytes()))
        return path

    return unpack


def same(a, b):
    assert a.keypoints == b.keypoints and list(a.others) == list(b.others) and a.notes == b.notes
    np.testing.assert_array_equal(a.points, b.points)
    for name, points in a.others.items():
        np.testing.assert_array_equal(points, b.others[name])


@pytest.mark.parametrize("name, csv, individual", [("single", "single", ""), ("fixed", "single", ""),
                                                   ("multi", "multi", "rat2")])  # fmt: skip
def test_h5_and_csv_of_one_frame_are_the_same(h5, name, csv, individual):
    tracks = read_tracks((h5(name),), individual)
    same(tracks, read_tracks((FILES / f"{csv}.csv",), individual))
    assert tracks.keypoints == ("nose", "tail") and list(tracks.others) == (["rat1"] if individual else [])
    assert np.isnan(tracks.points[1, 1, 0]) == (not individual)


def test_what_pandas_writes_here_is_read(tmp_path):
    pytest.importorskip("tables")
    frame = pd.read_csv(FILES / "multi.csv", header=[0, 1, 2, 3], index_col=0)
    for form in ("table", "fixed"):
        frame.to_hdf(tmp_path / "a.h5", key="df_with_missing", format=form, mode="w")
        same(read_tracks((tmp_path / "a.h5",), "rat1"), read_tracks((FILES / "multi.csv",), "rat1"))


def test_blocks_of_several_types_and_the_names_of_older_pythons(h5):
    path = h5("single")
    with h5py.File(path, "a") as file:
        group = file["df_with_missing"]
        rows, attrs = group["table"][()], dict(group["table"].attrs)
        del group["table"]
        mixed = np.zeros(len(rows), [("index", "i8"), ("values_block_0", "f8", (1,)), ("values_block_1", "f4", (5,))])
        mixed["index"], mixed["values_block_0"] = rows["index"], rows["values_block_0"][:, 1:2]
        mixed["values_block_1"] = np.delete(rows["values_block_0"], 1, axis=1)
        table = group.create_dataset("table", data=mixed)
        net = attrs["values_block_0_kind"].split(b"V")[1].split(b"\n")[0]
        keys = [(b"nose", b"x"), (b"nose", b"y"), (b"nose", b"likelihood"), (b"tail", b"x"), (b"tail", b"y"),
                (b"tail", b"likelihood")]  # fmt: skip
        texts = [b"(S'%s'\nS'%s'\nS'%s'\nta" % (net, *key) for key in keys]  # as Python 2 pickled them
        table.attrs["values_block_0_kind"] = np.bytes_(b"(lp0\n" + texts[1] + b".")
        table.attrs["values_block_1_kind"] = np.bytes_(b"(lp0\n" + b"".join(texts[:1] + texts[2:]) + b".")
    tracks, whole = read_tracks((path,)), read_tracks((FILES / "single.csv",))
    np.testing.assert_allclose(tracks.points, whole.points, rtol=1e-6)


def test_three_dimensions_with_and_without_likelihood(h5, tmp_path):
    tracks = read_tracks((h5("three"),))
    assert tracks.keypoints == ("nose", "tail") and tracks.points.shape == (5, 2, 4)
    assert np.isfinite(tracks.points).all() and (tracks.points[..., 3] == 1).all()
    lines = ["scorer,m,m,m,m", "bodyparts,nose,nose,nose,nose", "coords,x,y,z,likelihood", "0,1,2,3,.9", "1,0,0,0,.2",
             "2,1,2,,.9"]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(lines))
    points = read_tracks((tmp_path / "a.csv",)).points
    np.testing.assert_allclose(points[:, 0], [[1, 2, 3, 0.9], [np.nan] * 3 + [0], [np.nan] * 3 + [0]], rtol=1e-6)
    (tmp_path / "b.csv").write_text("\n".join([*lines[:2], "coords,x,y,z,l", *lines[3:]]))
    assert read_tracks((tmp_path / "b.csv",)).points[0, 0, 3] == 1
    (tmp_path / "c.csv").write_text("\n".join(["scorer,m,m,m", "bodyparts,a,a,b", "coords,x,z,y", "0,1,2,3"]))
    with pytest.raises(RecordingError) as error:
        read_tracks((tmp_path / "c.csv",))
    assert "missing column 'y' of keypoint 'a'; needs x, y, z" in error.value.problems[0]
    flat = tmp_path / "d.csv"
    flat.write_text("\n".join(["scorer,m,m,m", "bodyparts,nose,nose,nose", "coords,x,y,likelihood", "0,1,2,.9"]))
    with pytest.raises(RecordingError, match="d.csv: points of 2 dimensions; the first chapter has 3"):
        read_tracks((tmp_path / "a.csv", flat))


def test_three_dimensions_are_aligned(tmp_path):
    names = ("nose", "neck", "tail_base")
    settings = Settings(("walk",), names, 50.0, 0.6, 0.2, 0.3, names[1:], names[:2])
    row = Row("s", "a", "", "", (), (), (), None, 25.0, np.nan, "", "s", None, "", "", np.nan, (), "", {})
    frames = np.arange(100)
    points = [(100 + 50 * k + frames, np.full(100, 5.0), frames / 2 + 1) for k in range(3)]
    cells = np.column_stack([frames, *(axis for point in points for axis in point)])
    head = ["scorer" + ",m" * 9, "bodyparts" + "".join(f",{n}" * 3 for n in names), "coords" + ",x,y,z" * 3]
    (tmp_path / "a.csv").write_text("\n".join([*head, *(",".join(f"{v:g}" for v in line) for line in cells)]))
    tracks = read_tracks((tmp_path / "a.csv",))
    session = align(Raw(row, frames / 25, tracks, None, None, None, False, 25.0), settings)
    session.validate()
    assert session.pose.shape == (len(session), 3, 4) and session.valid[:, 1].all()
    np.testing.assert_allclose(session.pose[:, 1, 2], session.time * 12.5 + 1, atol=0.1)  # the ends ring


def test_frames_without_a_row_are_missing_and_counted(tmp_path):
    head = ["scorer,m,m,m", "bodyparts,nose,nose,nose", "coords,x,y,likelihood"]

    def write(name, numbers):
        (tmp_path / name).write_text("\n".join([*head, *(f"{n},{n + 1},2,.9" for n in numbers)]))
        return tmp_path / name

    tracks = read_tracks((write("a.csv", [0, 1, 4, 5]),))
    np.testing.assert_array_equal(tracks.points[:, 0, 0], [1, 2, np.nan, np.nan, 5, 6])
    assert tracks.points[2, 0, 2] == 0 and tracks.notes == ("a.csv: 2 frames without a row",)
    for following in ([6, 7], [0, 1]):
        assert len(read_tracks((tmp_path / "a.csv", write("b.csv", following))).points) == 8
    with pytest.raises(RecordingError, match="b.csv: line 4: the first row is frame 7; needs 0 or 6"):
        read_tracks((tmp_path / "a.csv", write("b.csv", [7, 8])))
    with pytest.raises(RecordingError, match="a.csv: line 4: the first row is frame 1; needs 0: a row for every frame"):
        read_tracks((write("a.csv", [1, 2]),))
    with pytest.raises(RecordingError, match="2 rows number the frames to 900000000; needs a row for most"):
        read_tracks((write("a.csv", [0, 900_000_000]),))


@pytest.mark.parametrize("change, message", [
    (lambda file: file.move("df_with_missing", "other") or file.copy("other", "second"), r"2 tables \(other, second\)"),
    (lambda file: file.__delitem__("df_with_missing/table"), "cannot be read as a table in an HDF5 file"),
    (lambda file: file["df_with_missing"].attrs.__delitem__("non_index_axes"), "cannot be read as a table"),
    (lambda file: file["df_with_missing"].attrs.__setitem__("non_index_axes", np.bytes_(b"(lp0\n.")), "cannot be read"),
    (lambda file: file["df_with_missing/table"].attrs.__setitem__("values_block_0_kind", np.bytes_(
        b"cos\nsystem\n(S'touch pickled'\ntR.")), "hold a os.system; needs plain text"),
])  # fmt: skip
def test_h5_files_that_are_refused(h5, change, message):
    path = h5("single")
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(RecordingError, match=f"single.h5: .*{message}"):
        read_tracks((path,))


def test_bytes_that_are_no_h5(h5, tmp_path):
    whole = h5("single").read_bytes()
    for content in (b"", b"nothing", whole[:3000], whole[:500] + b"\xff" * 400 + whole[900:]):
        (tmp_path / "a.h5").write_bytes(content)
        with pytest.raises(RecordingError, match="a.h5"):
            read_tracks((tmp_path / "a.h5",))
    with pytest.raises(RecordingError, match="none.h5: no such file"):
        read_tracks((tmp_path / "none.h5",))


class Labelled:
    """As much of an xarray.DataArray as is used."""

    def __init__(self, dims, values, coords):
        self.dims, self.values = dims, values
        self.coords = {name: types.SimpleNamespace(values=np.array(names)) for name, names in coords.items()}

    def transpose(self, *dims):
        names = {name: coord.values for name, coord in self.coords.items()}
        return Labelled(dims, self.values.transpose([self.dims.index(d) for d in dims]), names)


@pytest.fixture
def movement(monkeypatch):
    """A stand-in for the optional package: two animals of one keypoint over three frames."""
    names = {"individuals": ["one", "two"], "keypoints": ["nose"], "space": ["x", "y"]}
    place = np.arange(12.0).reshape(3, 2, 1, 2)  # (time, space, keypoints, individuals)
    place[2, :, 0, 1] = np.nan
    sure = np.full((3, 1, 2), 0.5)
    poses = {"position": Labelled(("time", "space", "keypoints", "individuals"), place, names),
             "confidence": Labelled(("time", "keypoints", "individuals"), sure, names)}  # fmt: skip
    package, io, load_poses = (types.ModuleType(n) for n in ("movement", "movement.io", "movement.io.load_poses"))
    load_poses.from_sleap_file = lambda path: poses
    io.load_poses = load_poses
    for module in (package, io, load_poses):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return poses, load_poses


def test_other_trackers_are_read_by_movement(movement, tmp_path):
    poses, load_poses = movement
    (tmp_path / "a.slp").write_bytes(b"x")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["tracks"] = np.zeros((2, 2, 1, 3))  # SLEAP's analysis file: no table of pandas
    for name in ("a.slp", "a.h5"):
        tracks = read_tracks((tmp_path / name,), "two")
        assert tracks.keypoints == ("nose",) and list(tracks.others) == ["one"]
        np.testing.assert_allclose(tracks.points[:, 0], [[1, 3, 0.5], [5, 7, 0.5], [np.nan, np.nan, 0]])
    poses["confidence"].values[:] = np.nan
    assert read_tracks((tmp_path / "a.slp",), "two").points[:, 0, 2].tolist() == [1, 1, 0]

    def broken(path):
        raise KeyError("no tracks")

    load_poses.from_sleap_file = broken
    with pytest.raises(RecordingError, match="a.slp: movement cannot load it: 'no tracks'"):
        read_tracks((tmp_path / "a.slp",), "two")


def test_other_trackers_without_movement(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "movement", None)
    with pytest.raises(RecordingError, match="a.slp: no DeepLabCut file, and needs the optional package movement: pip"):
        read_tracks((tmp_path / "a.slp",))
