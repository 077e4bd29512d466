"""The rat's body in three dimensions: posture over time, then points and orientations.

N samples at SIM_RATE_HZ, F camera frames, K keypoints. Right-handed arena axes: x, y on the floor, z up, metres;
body axes: x forward, y left, z up. Pitch is positive nose up, yaw positive to the left.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfiltfilt

from rbc.simulate.behaviour import Bout
from rbc.simulate.movements import MOVEMENTS
from rbc.simulate.rat import DEG, POSTURE, Rat, bump, smooth_step
from rbc.simulate.world import BODY, KEYPOINTS, MOTION, SIM_RATE_HZ, World


def move(
    bouts: list[Bout], place: tuple[float, float, float], start_s: float, stop_s: float, rat: Rat, world: World
) -> dict[str, np.ndarray]:
    """Posture (dict of (N,) arrays, with time s, x, y m and heading rad) of the bouts; transitions blend smoothly."""
    n = int(round((stop_s - start_s) * SIM_RATE_HZ))
    posture = {name: np.zeros(n) for name in POSTURE}
    calm = np.zeros(n)
    for bout in bouts:
        blend = min(rat.rng.uniform(*world.blend_s), 0.6 * bout.length)
        first = max(0, int((bout.start - blend - 0.2 - start_s) * SIM_RATE_HZ))
        last = min(n, int((bout.stop + blend + 0.2 - start_s) * SIM_RATE_HZ) + 1)
        if last <= first:
            continue
        piece = {name: values[first:last] for name, values in posture.items()}
        u = np.arange(first, last) / SIM_RATE_HZ + start_s - bout.start
        weight = smooth_step(u / blend + 0.5) * smooth_step((bout.length - u) / blend + 0.5)
        MOVEMENTS[bout.behaviour](piece, u, weight, bout, rat)
        _displace(piece, u, weight, bout)
        if bout.behaviour == "still":
            calm[first:last] = np.maximum(calm[first:last], weight)
    _sway(posture, calm, rat.rng)
    # muscles do not start or stop within a sample
    for name in ("lift", "pitch", "held"):
        posture[name] = gaussian_filter1d(posture[name], 0.008 * SIM_RATE_HZ)
    step = 1.0 / SIM_RATE_HZ
    posture["time"] = start_s + np.arange(n) * step
    posture["x"] = place[0] + np.cumsum(posture.pop("vx")) * step
    posture["y"] = place[1] + np.cumsum(posture.pop("vy")) * step
    posture["heading"] = place[2] + np.cumsum(posture.pop("yaw")) * step
    return posture


def _displace(piece: dict, u: np.ndarray, weight: np.ndarray, bout: Bout) -> None:
    if bout.turn:
        piece["yaw"] += bout.turn * bump(u, bout.length)
    if bout.shift != (0.0, 0.0):
        moving = weight * smooth_step((u - bout.delay) / 0.2)
        total = moving.sum() / SIM_RATE_HZ
        if total > 0.05:
            piece["vx"] += bout.shift[0] * moving / total
            piece["vy"] += bout.shift[1] * moving / total


def _sway(posture: dict, calm: np.ndarray, rng: np.random.Generator) -> None:
    """Small restless movements, a fifth of them at rest."""
    n, base = len(calm), MOTION["base"]
    lively = 1.0 - 0.8 * calm
    slow = butter(2, (0.3, 3.0), "bandpass", fs=SIM_RATE_HZ, output="sos")
    for name, size in (
        ("head_yaw", base["sway_deg"]), ("head_pitch", base["sway_deg"]), ("head_roll", 0.6 * base["sway_deg"]),
        ("pitch", base["sway_trunk_deg"]), ("roll", base["sway_trunk_deg"]), ("bend", 2 * base["sway_trunk_deg"]),
    ):
        posture[name] += lively * size * DEG * _noise(slow, n, rng)
    lazy = butter(2, 0.5, fs=SIM_RATE_HZ, output="sos")
    posture["tail"] += base["tail_deg"] * DEG * _noise(lazy, n, rng)
    posture["pitch"] += base["trunk_pitch"] * DEG
    posture["head_pitch"] += base["head_pitch"] * DEG


def _noise(sos: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    noise = sosfiltfilt(sos, rng.standard_normal(n))
    return noise / noise.std()


def rotation(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """(N, 3, 3) matrices body -> arena, Rz(yaw) Ry(-pitch) Rx(roll); angles rad."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    out = np.empty((len(yaw), 3, 3))
    out[:, 0] = np.stack([cy * cp, -sy * cr - cy * sp * sr, sy * sr - cy * sp * cr], axis=1)
    out[:, 1] = np.stack([sy * cp, cy * cr - sy * sp * sr, -cy * sr - sy * sp * cr], axis=1)
    out[:, 2] = np.stack([sp, cp * sr, cp * cr], axis=1)
    return out


def trunk(p: dict, size: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tail base, back and neck (N, 3) in m; the hind half bends away from the front half."""
    half = 0.5 * BODY["trunk"] * size
    flat = np.cos(p["pitch"])
    rear, front = p["heading"] - 0.5 * p["bend"], p["heading"] + 0.5 * p["bend"]
    behind = 0.7 * half * flat - p["surge"]
    base = np.stack([
        p["x"] - behind * np.cos(rear), p["y"] - behind * np.sin(rear), BODY["height"] * size + p["lift"],
    ], axis=1)
    back = base + half * np.stack([flat * np.cos(rear), flat * np.sin(rear), np.sin(p["pitch"])], axis=1)
    neck = back + half * np.stack([flat * np.cos(front), flat * np.sin(front), np.sin(p["pitch"])], axis=1)
    return base, back, neck


def trunk_rotation(p: dict) -> np.ndarray:
    """(N, 3, 3) trunk -> arena."""
    return rotation(p["heading"], p["pitch"], p["roll"])


def head_rotation(p: dict) -> np.ndarray:
    """(N, 3, 3) head -> arena; the neck takes back three quarters of the trunk's pitch."""
    yaw = p["heading"] + 0.5 * p["bend"] + p["head_yaw"]
    return rotation(yaw, p["head_pitch"] + 0.25 * p["pitch"], p["head_roll"] + 0.5 * p["roll"])


def head_origin(p: dict, size: float) -> np.ndarray:
    """(N, 3) where the head turns, in m."""
    return trunk(p, size)[2] + np.stack([np.zeros_like(p["bob"]), np.zeros_like(p["bob"]), p["bob"]], axis=1)


def at(p: dict, time_s: np.ndarray) -> dict[str, np.ndarray]:
    """The posture at other times (F,)."""
    return {name: np.interp(time_s, p["time"], values) for name, values in p.items()}


def keypoints(p: dict, size: float) -> np.ndarray:
    """(F, K, 3) arena positions in m, K as KEYPOINTS."""
    base, back, neck = trunk(p, size)
    head = head_rotation(p)
    pivot = head_origin(p, size)
    front, rear = p["heading"] + 0.5 * p["bend"], p["heading"] - 0.5 * p["bend"]
    ear = np.array([BODY["ear_forward"], BODY["ear_side"], BODY["ear_up"]]) * size
    nose = pivot + head @ (np.array([BODY["head"], 0.0, -0.004]) * size)
    points = {
        "nose": nose, "ear_left": pivot + head @ ear, "ear_right": pivot + head @ (ear * [1, -1, 1]),
        "neck": neck, "back": back + [0.0, 0.0, 0.012], "tail_base": base,
    }
    tail = BODY["tail"] * size
    points["tail_tip"] = base - tail * np.stack([np.cos(rear + p["tail"]), np.sin(rear + p["tail"]), 0 * rear], axis=1)
    points["tail_tip"][:, 2] = 0.01
    ahead = np.stack([np.cos(front), np.sin(front), 0 * front], axis=1)
    left = np.stack([-np.sin(front), np.cos(front), 0 * front], axis=1)
    behind = np.stack([np.cos(rear), np.sin(rear), 0 * rear], axis=1)
    beside = np.stack([-np.sin(rear), np.cos(rear), 0 * rear], axis=1)
    held = np.clip(p["held"], 0.0, 1.0)[:, None]
    for name, side in (("left", 1), ("right", -1)):
        paw = neck + p[f"paw_{name}"][:, None] * ahead + side * BODY["paw_side"] * size * left
        paw[:, 2] = np.maximum(p["lift"], 0.0) + np.maximum(p[f"paw_{name}"], 0.0) * 0.3
        up = 0.6 * nose + 0.4 * neck + 0.010 * side * left
        up[:, 2] += p["stroke"] - 0.015
        points[f"paw_{name}"] = (1 - held) * paw + held * up
        hind = base + (0.025 * size + p[f"hind_{name}"])[:, None] * behind + side * BODY["hind_side"] * size * beside
        hind[:, 2] = np.maximum(p["lift"], 0.0)
        raised = np.clip(p[f"leg_{name}"], 0.0, 1.0)[:, None]
        ear_point = points[f"ear_{name}"] + p["leg_shake"][:, None] * ahead
        points[f"hind_{name}"] = (1 - raised) * hind + raised * (0.35 * hind + 0.65 * ear_point)
    return np.stack([points[name] for name in KEYPOINTS], axis=1)
