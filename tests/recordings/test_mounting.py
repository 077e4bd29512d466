import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from rbc.recordings import mounting

RATE = 100.0
TIME = np.arange(12_000) / RATE


def smooth(hz: float, seed: int) -> np.ndarray:
    noise = sosfiltfilt(butter(2, hz, fs=RATE, output="sos"), np.random.default_rng(seed).normal(size=len(TIME)))
    return noise / noise.std()


def rotation(axis: list[float], degrees: float) -> np.ndarray:
    return mounting.rotation_of(np.deg2rad(degrees) * np.array([axis]) / np.linalg.norm(axis))[0]


def degrees_between(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.rad2deg(np.arccos(np.clip((np.trace(a @ b.T) - 1) / 2, -1, 1))))


def test_rotation_of_turns_by_its_length_about_its_direction():
    quarter = mounting.rotation_of(np.array([[0.0, 0.0, np.pi / 2]]))[0]
    assert np.allclose(quarter @ [1, 0, 0], [0, 1, 0]) and np.allclose(quarter @ quarter.T, np.eye(3))


def test_orientation_of_a_constant_rate_is_its_angle_over_any_number_of_blocks():
    gyro = np.tile([0.0, 0.0, 0.01], (2000, 1))
    turned = np.concatenate([matrices for _, matrices in mounting.orientations(gyro, 0.1 * np.arange(2000))])
    assert np.allclose(turned[-1], rotation([0, 0, 1], np.rad2deg(1.999)), atol=1e-9)
    assert np.allclose(turned[511], rotation([0, 0, 1], np.rad2deg(0.511)), atol=1e-9)


def test_up_direction_stands_still_while_the_animal_rears_and_shakes():
    pitch = 0.9 * np.sin(2 * np.pi * 0.4 * TIME)  # rearing, about the y axis
    rate = 0.9 * 2 * np.pi * 0.4 * np.cos(2 * np.pi * 0.4 * TIME)
    up = np.stack([-np.sin(pitch), 0 * pitch, np.cos(pitch)], axis=1)
    acc = 9.81 * up + 3 * np.stack([smooth(5, 1), smooth(5, 2), smooth(5, 3)], axis=1)
    gyro = np.stack([0 * rate, rate, 0 * rate], axis=1)
    found = mounting.up_direction(TIME, acc, gyro)
    wrong = np.rad2deg(np.arccos(np.clip((found * up).sum(1), -1, 1)))
    assert np.median(wrong) < 5
    slow = mounting.up_direction(TIME, acc, None)
    assert np.median(wrong) < 0.5 * np.median(np.rad2deg(np.arccos(np.clip((slow * up).sum(1), -1, 1))))


def test_level_rotation_takes_the_usual_posture_upright():
    held = rotation([1, 2, 0.3], 50)
    up = np.tile([0.0, 0.0, 1.0], (1000, 1))
    up[:300] = rotation([0, 1, 0], -60)[:, 2]  # reared for a third of the time
    level = mounting.level_rotation(up @ held, np.ones(1000, bool))
    assert np.allclose(level @ held.T @ [0, 0, 1], [0, 0, 1], atol=1e-6)
    upside_down = mounting.level_rotation(np.tile([0, 0, -1.0], (50, 1)), np.ones(50, bool))
    assert np.allclose(upside_down @ [0, 0, -1], [0, 0, 1])


@pytest.mark.parametrize("turn_deg", [0.0, 35.0, -120.0, 178.0])
def test_fit_heading_finds_the_turn_about_the_vertical_in_spite_of_a_lever_arm(turn_deg):
    angle = 2.0 * smooth(0.5, 4)
    path = 0.3 * (smooth(1.0, 5) + 1j * smooth(1.0, 6))  # m
    lever = 0.03 + 0.02j
    moving = np.gradient(np.gradient(path + lever * np.exp(1j * angle))) * RATE**2
    felt = moving * np.exp(-1j * angle) * np.exp(-1j * np.deg2rad(turn_deg))
    seen = 700 * path  # px
    seen[2000:2200] = np.nan
    found = mounting.fit_heading(felt, 0 * felt, [seen], angle, RATE, nods=False)
    assert degrees_between(found.rotation, rotation([0, 0, 1], turn_deg)) < 2
    assert found.heading_se_deg < 5


def test_fit_heading_sharpens_with_the_axis_in_which_a_head_nods():
    angle, path = 2.0 * smooth(0.5, 7), 0.3 * (smooth(1.0, 8) + 1j * smooth(1.0, 9))
    felt = np.gradient(np.gradient(path)) * RATE**2 * np.exp(-1j * angle)
    felt = felt * np.exp(-1j * np.deg2rad(40 + 10)) + 8 * (smooth(4, 10) + 1j * smooth(4, 11))  # the fit is 10° off
    lean = np.deg2rad(15) * smooth(1.0, 12) * np.exp(-1j * np.deg2rad(40))
    found = mounting.fit_heading(felt, lean, [path], angle, RATE, nods=True)
    assert degrees_between(found.rotation, rotation([0, 0, 1], 40)) < 2


def test_fit_heading_without_data_is_none():
    nothing = np.full(len(TIME), np.nan)
    still = np.zeros(len(TIME), complex)
    assert mounting.fit_heading(still, still, [nothing + 0j], nothing, RATE, nods=True) is None
