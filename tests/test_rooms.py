import sys
from pathlib import Path

import numpy as np
import pytest

from rbc import rooms
from rbc.rooms import each, let_go, pieces, room, walk
from rbc.scoring import decoder
from rbc.scoring.decision import Decision, Rules


@pytest.fixture(params=[0, 10**9], ids=["file", "memory"])
def in_memory(request, monkeypatch):
    monkeypatch.setattr(rooms, "IN_MEMORY", request.param)
    monkeypatch.setattr(rooms, "PIECE", 16)
    return bool(request.param)


def test_a_room_keeps_what_was_put_into_it_though_it_is_let_go_of(in_memory):
    made = room((40, 3), "f4")
    assert isinstance(made, np.memmap) != in_memory and made.dtype == "f4" and not made.any()
    made[5:9] = 7
    let_go(made, np.zeros(3))
    assert made[5:9].sum() == 84 == made.sum()


def test_pieces_cover_all_frames_in_order():
    assert [(p.start, p.stop) for p in pieces(7, 3)] == [(0, 3), (3, 6), (6, 7)]
    assert not list(pieces(0))


@pytest.mark.parametrize("frames", [1, 16, 17, 50])
def test_each_frame_is_worked_out_as_in_one_go(in_memory, frames):
    x, y = np.random.default_rng(0).normal(size=(2, frames, 3))
    found = each(lambda a, b: (a * b)[:, :2] > 0, x, y)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, (x * y)[:, :2] > 0)


def resident_files() -> int:
    """KiB of files that are mapped and in memory."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssFile")]
    return int(line.split()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_of_an_array_that_is_walked_through_only_a_step_is_in_memory(monkeypatch):
    monkeypatch.setattr(rooms, "IN_MEMORY", 0)
    made = room((2**22, 2), "f4")
    made[:] = 1
    full = resident_files()
    let_go(made)
    before = resident_files()
    assert full - before > 30_000
    seen = [(x.sum(), resident_files() - before) for x in walk(made, pieces(len(made), 2**18))]
    assert sum(total for total, _ in seen) == made.size and max(held for _, held in seen) < 8_000


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("rules", [Rules("viterbi"), Rules("none")], ids=lambda r: r.decoder)
def test_of_a_session_that_is_decided_only_steps_are_in_memory(rules, monkeypatch):
    held, frames, width = [], 2**19, 4
    monkeypatch.setattr(rooms, "IN_MEMORY", 0)
    probability = each(lambda t: np.sin(t[:, None] / (10 + np.arange(width))) / 2 + 0.5, np.arange(frames))
    before = resident_files()

    def watched(*arrays):
        held.append(resident_files() - before)
        let_go(*arrays)

    for module in (rooms, decoder):
        monkeypatch.setattr(module, "let_go", watched)
    settings = np.full((1, width), 1.0), np.tile((1.0, 0.0), (width, 1)), np.full(width, 0.5), np.ones(width)
    decision = Decision(rules, *settings, np.array([1, 1, 5, 10]))
    decided = decision.decide(probability)
    assert decided.mean() == pytest.approx(0.5, abs=0.01)
    assert max(held) < probability.nbytes / 1024 / 1.5


def test_nothing_is_made_of_nothing():
    assert each(lambda a: a[:, 0], np.zeros((0, 3))).shape == (0,)


def test_a_full_disk_is_said_before_anything_is_written(in_memory, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rooms.os, "posix_fallocate", full)
    if not in_memory:
        with pytest.raises(OSError, match="No space left on device; needs 0 MiB"):
            room((10,), "f8")
