import numpy as np
import pytest

from rbc.recordings.slip import find_roll, slip_note

TIME = np.arange(6000) / 10  # s


def wave(period_s: float, seed: int) -> np.ndarray:
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, 5)
    return sum(np.sin(2 * np.pi * TIME / (period_s * k) + phase) for k, phase in zip((1, 1.3, 1.7, 2.2, 2.9), phases)) / 2


def seen(roll_deg: np.ndarray, lean_deg: float = 2.0, nod_deg: float = 8.0) -> np.ndarray:
    """Upward direction in axes that were right at roll 0, of an animal that leans a little and nods more."""
    roll, pitch = np.deg2rad(roll_deg + lean_deg * wave(3, 1)), np.deg2rad(nod_deg * wave(5, 2))
    return np.stack([-np.sin(pitch), np.sin(roll) * np.cos(pitch), np.cos(roll) * np.cos(pitch)], axis=1)


ALWAYS = np.ones(len(TIME), bool)


def test_a_sensor_that_holds_has_no_roll():
    assert find_roll(TIME, seen(0 * TIME), ALWAYS) is None
    assert find_roll(TIME, seen(0 * TIME + 4), ALWAYS) is None  # how it was put on
    assert find_roll(TIME[:800], seen(np.where(TIME > 40, 30, 0))[:800], ALWAYS[:800]) is None  # too short to tell


def test_slips_are_found_at_their_time_with_their_angle_and_taken_back():
    true_deg = np.select([TIME > 400, TIME > 340, TIME > 100], [15.0, 40.0, 25.0], 0.0)
    up = seen(true_deg)
    roll = find_roll(TIME, up, ALWAYS)
    assert [at for at, _ in roll.slips] == pytest.approx([100, 340, 400], abs=2.5)
    assert np.rad2deg([angle for _, angle in roll.slips]) == pytest.approx([25, 15, -25], abs=2)
    assert 0 < np.rad2deg(roll.se) < 2
    back = roll.undone(TIME, up)
    left = np.rad2deg(np.arctan2(back[:, 1], back[:, 2]))
    far = np.abs(TIME[:, None] - [100, 340, 400]).min(1) > 5
    assert np.abs(left[far] - 2.0 * wave(3, 1)[far]).max() < 2.5
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1)
    report = roll.report(TIME + 7, TIME)  # the IMU's clock is 7 s ahead
    assert [slip["time_s"] for slip in report["slips"]] == pytest.approx([93, 333, 393], abs=2.5)
    assert report["roll_deg"] == pytest.approx(40, abs=2)


def test_a_slow_roll_is_taken_back_without_a_slip():
    roll = find_roll(TIME, seen(20 * TIME / 600), ALWAYS)
    assert roll.slips == () and np.rad2deg(np.ptp(roll.angle)) == pytest.approx(18.5, abs=1)


def test_what_is_posture_is_no_slip():
    lying = (TIME > 200) & (TIME < 400)
    asleep = seen(np.where(lying, 35.0, 0.0))
    assert find_roll(TIME, asleep, ~lying) is None
    assert find_roll(TIME, asleep, ALWAYS) is not None
    assert find_roll(TIME, seen(np.where(TIME > 300, 30, 0), lean_deg=8, nod_deg=2), ALWAYS) is None  # axes mistaken


def test_notes_name_slips_and_slow_rolls():
    slips = [{"time_s": 100.0 * i, "deg": -20.4 - i} for i in range(1, 7)]
    mounted = {"axes": "body", "slips": slips, "slip_se_deg": 1.2, "roll_deg": 33.3}
    assert slip_note(mounted) == ("sensor slipped by 21° at 100 s, 22° at 200 s, 23° at 300 s, 24° at 400 s, 2 times more "
                                  "(± 1°); taken back")  # fmt: skip
    assert slip_note(mounted | {"slips": slips[:1]}) == "sensor slipped by 21° at 100 s (± 1°); taken back"
    assert slip_note(mounted | {"slips": []}) == "sensor rolled slowly, by 33°; taken back"
    assert slip_note({"axes": "body"}) == ""
