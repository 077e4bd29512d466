"""Two animals in one video: the turning rat of the other tests, and one that turns to its own rhythm beside it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recorded import OFFSET_S, SETTINGS, raw, row, turning

from rbc.recordings.alignment import align
from rbc.recordings.checking import check_all
from rbc.recordings.deeplabcut import read_tracks
from rbc.recordings.errors import RecordingError
from rbc.recordings.ontology import Ontology
from rbc.recordings.pairs import Pairs
from rbc.recordings.preparation import align_all
from rbc.recordings.session import load_sessions
from rbc.recordings.summary import summary
from rbc.recordings.wearer import CHANGE, posterior, settle
from rbc.simulate import writer
from rbc.simulate.recording import write_session
from rbc.simulate.sizes import Plan
from rbc.simulate.world import KEYPOINTS


def pair(named: str, wearer: str = "rat1", swapped: tuple[float, float] = (0.0, 0.0), twins: bool = False):
    """A recording of rat1 and rat2, of which one wears the IMU; the tracker swaps them for a while."""
    given = raw()
    frames = given.frame_s
    angle = turning(frames + (0.0 if twins else 500.0))
    along = np.stack([np.cos(angle), -np.sin(angle)], axis=1)
    own, other = np.array(given.tracks.points), np.ones_like(given.tracks.points)
    for k, far in enumerate((80.0, 50.0, -50.0)):
        other[:, k, :2] = [500.0, 300.0] + far * along
    wrong = (frames >= swapped[0]) & (frames < swapped[1])
    own[wrong], other[wrong] = other[wrong], own[wrong].copy()
    both = {"rat1": own, "rat2": other} if wearer == "rat1" else {"rat1": other, "rat2": own}
    read = named or "rat1"
    tracks = replace(given.tracks, points=both.pop(read), others=both, individual=read)
    return replace(given, tracks=tracks, row=row(individual=named))


def settled(given, **changes):
    return settle(given, replace(SETTINGS, **changes))


def test_the_animal_that_turns_as_the_imu_does_wears_it():
    for wearer, other in (("rat1", "rat2"), ("rat2", "rat1")):
        out = settled(pair("", wearer))
        assert out.tracks.individual == wearer and list(out.tracks.others) == [other]
        assert out.wearer_notes[0].startswith(f"individual {wearer}: turning correlates") and len(out.notes) == 1
        np.testing.assert_array_equal(out.tracks.points, pair(wearer, wearer).tracks.points)


def test_the_wearer_is_told_although_a_counter_of_samples_is_wrong():
    given = pair("", "rat2")
    given = replace(given, imu=replace(given.imu, time_s=1.02 * given.imu.time_s))
    assert settled(given).tracks.individual == "rat2"


def test_a_named_animal_that_wears_it_is_left_as_it_is():
    given = pair("rat2", "rat2")
    out = settled(given)
    assert out.wearer_notes == () and out.tracks.individual == "rat2"
    np.testing.assert_array_equal(out.tracks.points, given.tracks.points)


def test_a_wrong_animal_is_refused_with_both_correlations():
    with pytest.raises(RecordingError, match=r"individual 'rat1': turning .* rat1 -?0\.\d+, rat2 1\.00; .* rat2\?"):
        settled(pair("rat1", "rat2"))


def test_a_swap_is_said_and_the_pose_is_missing_there():
    given = pair("rat1", swapped=(40.0, 70.0))
    (note,) = settled(given).wearer_notes
    start, stop = map(float, note.removeprefix("swap with rat2 at ").removesuffix(" s").split("-"))
    assert 38 <= start <= 41 and 69 <= stop <= 72
    out = align(given, SETTINGS)
    swapped = (out.time > start + 0.5) & (out.time < stop - 0.5)
    assert not out.valid[swapped, 1].any() and np.isnan(out.pose[swapped][:, :, :2]).all()
    assert np.isnan(out.other[swapped][..., :2]).all() and (out.pose[swapped][..., 2] == 0).all()
    rest = (out.time < start - 0.5) | (out.time > stop + 0.5)
    assert out.valid[rest].all() and out.report["notes"] == [note]


def test_whoever_cannot_be_told_has_to_be_named():
    given, imu = pair(""), raw().imu
    for given, reason in (
        (pair("", twins=True), r"turning corr.* rat1 1\.00, rat2 1\.00"),
        (replace(given, imu=replace(imu, names=imu.names[:3], values=imu.values[:, :3])), "no gyroscope"),
        (replace(given, imu=replace(imu, values=imu.values[::-1])), "nobody turns as the gyroscope does: best match"),
    ):
        with pytest.raises(RecordingError, match=f"F1D1_x: individual is empty, and {reason}.*; needs one of rat1"):
            settled(given)
        named = replace(given, row=row(individual="rat1"))
        assert settled(named).wearer_notes == ()


def test_nothing_is_asked_without_an_axis_or_another_animal():
    for given, changes in ((raw(), {}), (pair("", twins=True), {"body_axis": (), "head_axis": ()})):
        assert settled(given, **changes) is given


def test_pairs_fix_the_clock_on_which_animals_are_compared():
    moments = np.array([5.0, 110.0])
    given = replace(pair("", "rat2"), pairs=Pairs(moments, moments + OFFSET_S, ("a", "b"), np.nan))
    assert settled(given).tracks.individual == "rat2"
    wrong = replace(given, pairs=Pairs(moments, moments + OFFSET_S + 5, ("a", "b"), np.nan))
    with pytest.raises(RecordingError, match="individual is empty, and turning correlates"):
        settled(wrong)


def test_a_swap_needs_more_evidence_than_two_changes_cost():
    quiet = np.zeros((5, 2))
    np.testing.assert_allclose(posterior(quiet), 0.5)
    evidence = np.zeros((60, 2))
    evidence[:, 0] = 4.0
    for seconds, swapped in ((8, False), (14, True)):
        moved = np.array(evidence)
        moved[20 : 20 + seconds] = [0.0, 4.0]
        chance = posterior(moved)
        assert (chance[22 : 18 + seconds, 1] > 0.99).all() == swapped and (chance[[0, -1], 1] < 1e-6).all()
        assert (chance[:, 1].max() > 0.99) == swapped
    odds = posterior(np.array([[0.0, 3.0], [0.0, 0.0]]))[0]
    np.testing.assert_allclose(odds[1] / odds[0], np.exp(3), rtol=10 * np.exp(-CHANGE))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """Two simulated rats in one multi-animal file, twice: as the tracker should, and swapped for 40 s."""
    root = tmp_path_factory.mktemp("pairs")
    for name in writer.FOLDERS:
        (root / name).mkdir()
    cells, other = (write_session(root, Plan(name, 2.0, False, "none"), "first", "tiny", 20)
                    for name in ("F5D2_indoor", "M4D1_indoor"))  # fmt: skip
    mine, theirs = (read_tracks((root / line["pose"],)).points for line in (cells, other))
    at = np.arange(len(mine)) / float(cells["pose_rate_hz"])
    theirs = theirs[np.minimum((at * float(other["pose_rate_hz"])).astype(int), len(theirs) - 1)]
    rows = []
    for name, wrong in (("F5D2_right", at < 0), ("F5D2_swapped", (at > 50) & (at < 90))):
        both = np.stack([mine, theirs], axis=1)  # (N, 2, K, 3)
        both[wrong] = both[wrong, ::-1]
        lines = [["scorer", *["net"] * 6 * len(KEYPOINTS)],
                 ["individuals", *(who for who in ("one", "two") for _ in KEYPOINTS for _ in range(3))],
                 ["bodyparts", *[part for part in KEYPOINTS for _ in range(3)] * 2],
                 ["coords", *["x", "y", "likelihood"] * 2 * len(KEYPOINTS)]]  # fmt: skip
        table = pd.DataFrame(both.reshape(len(both), -1).round(2)).reset_index()
        text = "\n".join(map(",".join, lines)) + "\n" + table.to_csv(header=False, index=False)
        (root / f"{name}.csv").write_text(text)
        rows.append(cells | {"labels": "", "session": name, "pose": f"{name}.csv"})
    pd.DataFrame(rows).to_csv(root / "all.csv", index=False)
    return root


def write(root: Path, rows: slice, individual: str) -> None:
    table = pd.read_csv(root / "all.csv", dtype=str, keep_default_na=False)
    table.assign(individual=individual)[rows].to_csv(root / "sessions.csv", index=False)


def check(root: Path):
    settings = replace(SETTINGS, behaviours=("walk",), keypoints=())
    return check_all(root, settings, animal_pattern="^..", ontology=Ontology(), progress=False)


def test_check_refuses_the_wrong_animal_and_says_where_they_are_swapped(recordings):
    write(recordings, slice(0, 1), "two")
    with pytest.raises(RecordingError, match="F5D2_right: individual 'two': turning correlates"):
        check(recordings)
    write(recordings, slice(1, 2), "one")
    assert "odd: F5D2_swapped: swap with two at" in summary(check(recordings))


def test_from_the_manifest_to_the_sessions(recordings, tmp_path):
    write(recordings, slice(None), "")
    table = align_all(
        recordings, tmp_path / "out", behaviours=("walk",), animal_pattern="^..", progress=False,
        body_axis=SETTINGS.body_axis, head_axis=SETTINGS.head_axis, rate_hz=50.0, min_likelihood=0.6, max_gap_s=0.2,
        min_clock_correlation=0.3,
    ).set_index("session")  # fmt: skip
    assert all("individual one: turning correlates" in note for note in table["note"])
    assert "swap" not in table["note"]["F5D2_right"] and "swap with two at" in table["note"]["F5D2_swapped"]
    assert table["swaps"].tolist() == [0, 1] and table["swapped"].tolist() == [0.0, pytest.approx(40 / 120, abs=0.05)]
    right, swapped = (load_sessions(tmp_path / "out")[name] for name in table.index)
    inside = (right.time > 52) & (right.time < 88)
    assert swapped.valid[inside, 1].mean() < 0.1 < 0.5 < right.valid[inside, 1].mean()
    kept = swapped.valid[:, 1] & ~inside
    assert kept.mean() > 0.3 and np.nanmean(np.abs(swapped.pose[kept] - right.pose[kept])[:, 3, :2]) < 0.1
    away = np.linalg.norm(right.other[..., :2] - right.pose[:, [3, 5], :2], axis=2)
    assert np.isfinite(away).mean() > 0.5
