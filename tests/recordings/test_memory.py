"""A session of a day has to fit into 2 GB: what reading and aligning take grows by few bytes a video frame.

The clock is left out: it is found in memory of its own.
"""

import tracemalloc
from dataclasses import replace

import pytest
from recorded import SETTINGS, read_manifest

from benchmarks.day import BODY_M, FPS, write_day
from rbc.recordings import timing
from rbc.recordings.alignment import align
from rbc.recordings.clock import same_clock
from rbc.recordings.deeplabcut import read_tracks
from rbc.recordings.imu import read_imu
from rbc.recordings.physics import at_rest
from rbc.recordings.raw import read_raw
from rbc.simulate.world import BEHAVIOURS

MOST = 1.5e9 / (24 * 3600 * FPS)
"""Bytes a frame: the rest of 2 GB is for the program itself and the clock."""
HOURS = (0.2, 0.4)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Manifest rows of two sessions, the second twice as long."""
    found = []
    for hours in HOURS:
        root = tmp_path_factory.mktemp("day")
        write_day(root, hours)
        found += read_manifest(root, "")
    return found


@pytest.mark.parametrize("step", [
    lambda row: read_tracks(row.pose), lambda row: read_imu(row.imu, row.imu_units), lambda row: at_rest(read_raw(row)),
    lambda row: align(read_raw(row), replace(SETTINGS, behaviours=BEHAVIOURS, keypoints=tuple(BODY_M))),
], ids=["read_tracks", "read_imu", "at_rest", "align"])  # fmt: skip
def test_a_day_fits(rows, step, monkeypatch):
    monkeypatch.setattr(timing, "find_clock", lambda *_: (same_clock(), "head"))
    peaks = []
    for row in rows:
        tracemalloc.start()
        step(row)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    per_frame = (peaks[1] - peaks[0]) / (3600 * FPS * (HOURS[1] - HOURS[0]))
    assert per_frame < MOST, f"{per_frame:.0f} bytes a frame"
