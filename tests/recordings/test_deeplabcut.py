import numpy as np
import pytest
from real_data import folder
from recorded import read_manifest

from rbc.recordings.deeplabcut import read_tracks
from rbc.recordings.errors import RecordingError

SINGLE = ["scorer,m,m,m,m,m,m", "bodyparts,nose,nose,nose,tail,tail,tail", "coords" + ",x,y,likelihood" * 2]
FRAMES = ["0,1,2,0.9,3,4,0.8", "1,1.5,2.5,0.7,,,", "2,0.0,0.0,0.1,5,6,1.0"]
MULTI = [
    "scorer" + ",m" * 9,
    "individuals" + ",rat1" * 3 + ",rat2" * 3 + ",single" * 3,
    "bodyparts" + ",nose" * 6 + ",corner" * 3,
    "coords" + ",x,y,likelihood" * 3,
]


def write(path, lines, end="\n"):
    path.write_bytes((end.join(lines) + end).encode())
    return path


def test_single_animal(tmp_path):
    tracks = read_tracks((write(tmp_path / "a.csv", SINGLE + FRAMES),))
    assert tracks.keypoints == ("nose", "tail") and tracks.points.shape == (3, 2, 3) and not tracks.others
    assert tracks.points.dtype == np.float32
    np.testing.assert_allclose(tracks.points[0], [[1, 2, 0.9], [3, 4, 0.8]])
    np.testing.assert_array_equal(tracks.points[1, 1], [np.nan, np.nan, 0])


def test_a_point_at_zero_zero_is_missing(tmp_path):
    tracks = read_tracks((write(tmp_path / "a.csv", SINGLE + FRAMES),))
    np.testing.assert_array_equal(tracks.points[2, 0], [np.nan, np.nan, 0])


def test_byte_order_mark_and_crlf(tmp_path):
    path = write(tmp_path / "a.csv", ["\ufeff" + SINGLE[0], *SINGLE[1:], *FRAMES, ""], end="\r\n")
    assert read_tracks((path,)).points.shape == (3, 2, 3)


def test_the_named_animal_of_several_and_the_others_as_context(tmp_path):
    path = write(tmp_path / "a.csv", [*MULTI, "0,1,2,.9,3,4,.8,7,7,1", "1,,,,5,6,.7,7,7,1"])
    tracks = read_tracks((path,), "rat2")
    assert tracks.keypoints == ("nose",) and list(tracks.others) == ["rat1"]
    np.testing.assert_allclose(tracks.points[:, 0, :2], [[3, 4], [5, 6]])
    np.testing.assert_allclose(tracks.others["rat1"][:, 0, 0], [1, np.nan])
    with pytest.raises(RecordingError, match=r"individual is empty; needs one of rat1, rat2"):
        read_tracks((path,))
    with pytest.raises(RecordingError, match=r"individual 'rat3' is not in the file \(did you mean"):
        read_tracks((path,), "rat3")


def test_chapters_follow_each_other(tmp_path):
    first = write(tmp_path / "a.csv", SINGLE + FRAMES)
    assert read_tracks((first, first)).points.shape == (6, 2, 3)
    other = write(tmp_path / "b.csv", [line.replace("tail", "neck") for line in SINGLE] + FRAMES)
    with pytest.raises(RecordingError, match="b.csv: keypoints nose, neck of 1 animals; the first chapter has nose, t"):
        read_tracks((first, other))


@pytest.mark.parametrize(
    "lines, message",
    [
        (FRAMES, "missing header row"),
        ([SINGLE[0], SINGLE[2], *FRAMES], "missing header row"),
        ([*SINGLE[:2], "coords,x,y,likelihood,x,y,l", *FRAMES], "missing column 'likelihood' of keypoint 'tail'"),
        ([*SINGLE[:2], "coords,x,y,likelihood,x,x,likelihood", *FRAMES], "column tail x is there twice"),
        ([SINGLE[0], "bodyparts,nose", SINGLE[2], *FRAMES], "header rows of 7, 2, 7 fields"),
        ([*SINGLE, *FRAMES, "3,1,2,0.9,three,4,0.8"], "line 7: column 'tail x': 'three' is not a number"),
        ([*SINGLE, *FRAMES, "3,1,2,0.9,3,4,80"], "line 7: likelihood of 'tail' is 80; needs 0 to 1"),
        ([*SINGLE, *FRAMES, "3,1,2,0.9,3e7,4,0.8"], "line 7: 'tail' lies at 3e.07, 4; needs at most 1e.06"),
        ([*SINGLE, *FRAMES, "2,1,2,0.9,3,4,0.8"], "line 7: frame number 2 after 2"),
        ([*SINGLE, *FRAMES, "3,1,2,0.9,3,4,0.8,9"], "line 7: 8 fields"),
        ([*SINGLE, "0,,,,,,", "1,0,0,0,,,"], "pose is all-NaN: 2 frames"),
        (SINGLE, "0 frames below the header"),
        ([], "missing header row"),
        (["\x00\x00"], "missing header row"),
    ],
)
def test_what_is_refused(tmp_path, lines, message):
    with pytest.raises(RecordingError, match=message) as error:
        read_tracks((write(tmp_path / "a.csv", lines),))
    assert "a.csv" in str(error.value)


def test_missing_file_other_format_and_bytes_are_named(tmp_path):
    (tmp_path / "b.csv").write_bytes(b"scorer\xff\xfe")
    with pytest.raises(RecordingError) as error:
        read_tracks((tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.mp4"))
    missing, encoding, suffix = error.value.problems
    assert "a.csv: no such file" in missing and "not UTF-8 text (byte 6: 0xff)" in encoding and "'.mp4'" in suffix


def test_real_pairs_of_rats():
    root = folder("rats")
    rows = read_manifest(root, "")
    assert len(rows) == 40
    lengths, shares = [], []
    for row in rows[::8]:
        tracks = read_tracks(row.pose, row.individual)
        assert tracks.keypoints == ("top", "body", "tail", "tail-m", "tail-e")
        assert list(tracks.others) == ["individual2"] and tracks.others["individual2"].shape == tracks.points.shape
        both = np.stack([tracks.points, tracks.others["individual2"]])
        lengths.append(len(tracks.points))
        shares.append(np.isnan(both[..., 0]).mean())
    assert 13_000 < np.mean(lengths) < 16_000
    assert 0.24 < min(shares) and max(shares) < 0.49
