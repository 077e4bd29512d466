"""The one frozen table of the simulated worlds: every range that a session, an animal or a bout draws from.

Typical values for default ranges, not citations. The table was frozen before the first network was trained;
`table_hash()` names it and a test holds the literal. A pair is (lowest, highest) of a uniform draw unless said.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field

from rbc.simulate.sizes import SIZES

KEYPOINTS = (
    "nose", "ear_left", "ear_right", "neck", "back", "tail_base", "tail_tip",
    "paw_left", "paw_right", "hind_left", "hind_right",
)
BEHAVIOURS = (
    "walk", "jump", "aiming", "scratch", "rearing", "stand_up", "still", "eating", "grooming", "local_search",
    "turn_left", "turn_right",
)
UNLISTED = ("digging", "drinking", "shake", "shuffle")
SIM_RATE_HZ = 400.0
TRUTH_RATE_HZ = 50.0
GRAVITY = 9.81

BOUTS = {  # behaviour -> (median s, sigma of log, shortest s, longest s, weight in the bout process)
    "walk": (1.5, 0.55, 0.4, 8.0, 6.0),
    "jump": (0.31, 0.20, 0.2, 0.6, 0.40),
    "aiming": (0.9, 0.35, 0.4, 2.5, 0.9),
    "scratch": (1.4, 0.50, 0.6, 8.0, 0.60),
    "rearing": (1.8, 0.50, 0.6, 8.0, 2.2),
    "stand_up": (0.7, 0.30, 0.4, 1.5, 1.7),
    "still": (6.0, 1.00, 1.0, 120.0, 5.4),
    "eating": (12.0, 0.60, 3.0, 90.0, 0.38),
    "grooming": (7.0, 0.80, 1.0, 60.0, 1.00),
    "local_search": (2.6, 0.60, 0.5, 15.0, 6.3),
    "turn": (0.5, 0.35, 0.28, 1.1, 1.0),
    "digging": (3.0, 0.50, 1.0, 10.0, 1.0),
    "drinking": (5.0, 0.50, 1.5, 15.0, 0.35),
    "shake": (0.6, 0.20, 0.35, 1.0, 0.45),
    "shuffle": (0.9, 0.50, 0.3, 3.0, 2.4),
}
FOLLOWS = {  # (before, after) -> factor on the weight of `after`
    ("walk", "local_search"): 1.6, ("local_search", "walk"): 1.6, ("walk", "rearing"): 1.6,
    ("local_search", "rearing"): 1.5, ("aiming", "jump"): 30.0, ("grooming", "still"): 2.0,
    ("grooming", "shake"): 3.0, ("scratch", "grooming"): 4.0, ("still", "grooming"): 1.8, ("jump", "walk"): 3.0,
    ("eating", "grooming"): 4.0, ("still", "scratch"): 2.0, ("rearing", "walk"): 1.5, ("still", "jump"): 0.2,
    ("grooming", "jump"): 0.0, ("eating", "jump"): 0.0, ("drinking", "grooming"): 3.0, ("local_search", "eating"): 1.5,
}
ACTIVE = ("walk", "jump", "rearing", "stand_up", "local_search", "turn", "digging")
CALM = ("still", "grooming")

MOTION = {  # behaviour -> what a bout draws; angles in degrees, lengths in mm, rhythms in Hz
    "base": {"trunk_pitch": 6.0, "head_pitch": -12.0, "sway_deg": 1.6, "sway_trunk_deg": 0.5, "tail_deg": 22.0},
    "walk": {"stride": (2.0, 4.0), "fast_stride": (6.0, 8.0), "bob": (1.2, 2.6), "roll": (2.0, 4.5), "yaw": (1.5, 4.0),
             "surge": (0.6, 1.5), "head": (1.0, 2.5), "head_pitch": (-10.0, 6.0), "step": (14.0, 24.0)},
    "local_search": {"sniff": (6.0, 10.0), "sniff_deg": (0.8, 2.2), "scan": (0.3, 1.3), "scan_deg": (14.0, 38.0),
                     "head_pitch": (-32.0, -8.0), "step": (4.0, 12.0), "stride": (1.2, 2.4), "bob": (0.3, 0.8)},
    "rearing": {"pitch": (42.0, 72.0), "head_pitch": (0.0, 30.0), "sway": (0.4, 1.1), "sway_deg": (1.0, 3.0),
                "lift": (4.0, 16.0)},
    "stand_up": {"pitch": (34.0, 64.0), "head_pitch": (5.0, 30.0), "lift": (4.0, 16.0)},
    "still": {"breath": (1.0, 2.0), "breath_deg": (0.15, 0.5), "breath_mm": (0.15, 0.45), "lift": (-10.0, 0.0),
              "head_pitch": (-14.0, 2.0)},
    "aiming": {"bob": (2.0, 3.2), "bob_deg": (2.0, 5.0), "head_pitch": (14.0, 30.0), "crouch": (-7.0, -2.0),
               "back": (4.0, 10.0), "yaw": (-15.0, 15.0)},
    "scratch": {"rate": (6.0, 12.0), "roll": (8.0, 20.0), "head_yaw": (22.0, 48.0), "head_roll": (12.0, 30.0),
                "shake_deg": (2.0, 5.0), "leg": (6.0, 14.0)},
    "eating": {"chew": (4.0, 6.0), "chew_deg": (0.6, 1.8), "pitch": (22.0, 42.0), "head_pitch": (-30.0, -12.0),
               "bite": (0.3, 0.8), "bite_deg": (4.0, 9.0)},
    "grooming": {"stroke": (5.0, 7.0), "stroke_deg": (2.0, 6.0), "pitch": (20.0, 44.0), "head_pitch": (-45.0, -20.0),
                 "lick": (2.5, 4.5), "lick_deg": (3.0, 7.0), "bend": (25.0, 55.0), "phase": (1.0, 4.0)},
    "jump": {"push_s": (0.06, 0.09), "forward": (0.4, 1.1), "nose_up": (8.0, 22.0)},
    "turn": {"angle": (40.0, 165.0), "head_lead": (0.25, 0.45), "bend": (0.12, 0.25)},
    "digging": {"rate": (4.0, 6.0), "vibration_deg": (1.0, 2.5), "head_pitch": (-45.0, -25.0), "step": (14.0, 24.0)},
    "drinking": {"lick": (5.5, 7.5), "lick_deg": (0.3, 0.9), "pitch": (8.0, 24.0), "head_pitch": (5.0, 30.0)},
    "shake": {"rate": (15.0, 18.0), "head_deg": (5.0, 12.0), "trunk_deg": (3.0, 8.0)},
    "shuffle": {"head_yaw": (-30.0, 30.0), "head_pitch": (-15.0, 15.0), "bend": (-15.0, 15.0), "lift": (-5.0, 5.0)},
}
BODY = {  # lengths in m; the trunk runs from tail base to neck
    "trunk": 0.130, "head": 0.050, "tail": 0.170, "height": 0.042, "ear_forward": 0.018, "ear_side": 0.016,
    "ear_up": 0.013, "paw_side": 0.018, "hind_side": 0.027,
}
HIDDEN_IN = ("grooming", "eating", "scratch")  # nose and paws are behind the body; wall rearing counts too
CONFUSED = {  # true behaviour -> what an annotator may write instead ("" = nothing)
    "walk": ("local_search",), "local_search": ("walk", "still"), "rearing": ("stand_up",), "stand_up": ("rearing",),
    "eating": ("grooming",), "grooming": ("eating", "scratch"), "scratch": ("grooming",), "aiming": ("still",),
    "still": ("local_search",), "jump": ("stand_up",), "turn_left": ("",), "turn_right": ("",),
    "digging": ("local_search",), "drinking": ("eating",), "shuffle": ("local_search", "walk"), "shake": ("",),
}
TIMING = {"fast": (0.10, 0.10), "medium": (0.15, 0.15), "slow": (0.38, 0.25)}  # (boundary error s, onset late s)
PACE = {
    "jump": "fast", "turn_left": "fast", "turn_right": "fast", "stand_up": "fast", "walk": "medium", "aiming": "medium",
    "scratch": "medium", "rearing": "medium", "still": "slow", "eating": "slow", "grooming": "slow",
    "local_search": "slow",
}


@dataclass(frozen=True)
class World:
    """Ranges in which the worlds differ or may differ."""

    back_animals: tuple[str, ...] = (
        "F2", "M3", "M4", "M6", "F8", "F11", "F14", "F17", "F20", "M8", "M11", "M14", "M17",
    )
    # animal and day
    size_sd: float = 0.04  # of the log, cut at ± 8 %
    tempo: tuple = (0.90, 1.10)
    tempo_factor: float = 1.0
    budget_sd: tuple = (0.20, 0.40)
    day_sd: tuple = (0.10, 0.20)
    habituation_min: tuple = (5.0, 15.0)
    aborted: tuple = (0.03, 0.08)
    blend_s: tuple = (0.10, 0.30)
    walk_cm_s: tuple = (7.0, 32.0)
    search_cm_s: tuple = (0.5, 5.0)
    fast_walk: float = 0.08
    arena_half_m: dict = field(default_factory=lambda: {"indoor": 0.30, "outdoor": 0.45})
    # overlaps, as the share of bouts
    search_in_rearing: float = 0.45
    aiming_in_still: float = 0.30
    turn_in_search: float = 0.30
    sniff_in_walk: float = 0.35
    # inertial unit
    imu_rates_hz: tuple = (100.0, 104.0, 120.0, 200.0)
    lever_mm: tuple = (30.0, 50.0)
    box_deg: float = 15.0
    acc_range_g: tuple = (4.0, 8.0, 16.0)
    gyro_range_deg_s: tuple = (500.0, 1000.0, 2000.0)
    low_pass_hz: tuple = (24.0, 80.0)
    acc_noise_mg: tuple = (4.0, 12.0)
    gyro_noise_deg_s: tuple = (0.05, 0.30)
    acc_bias_mg: tuple = (20.0, 80.0)
    gyro_bias_deg_s: tuple = (1.0, 5.0)
    warm_up_share: tuple = (0.1, 0.4)
    warm_up_min: tuple = (2.0, 8.0)
    scale_sd: tuple = (0.01, 0.03)
    cross_axis: tuple = (0.01, 0.02)
    loss: tuple = (0.001, 0.03)
    loss_burst_s: tuple = (0.02, 0.50)
    tug_per_min: tuple = (0.5, 3.0)
    tug_g: tuple = (0.2, 1.0)
    harness_hz: tuple = (5.0, 10.0)
    harness_damping: tuple = (0.25, 0.45)
    slip_deg: tuple = (5.0, 20.0)
    slip_step_deg: tuple = (10.0, 40.0)
    slip_after_grooming: float = 0.35
    drift_ppm: float = 100.0
    wander_ppm: tuple = (2.0, 8.0)
    lead_s: tuple = (3.0, 90.0)  # the logger runs before the video, drawn on a log scale
    uptime_s: tuple = (5.0, 400.0)  # of the logger at its first sample, in half of the sessions
    # camera and tracker
    fps: tuple = (30.0, 29.97, 60.0)
    tilt_deg: tuple = (5.0, 30.0)
    camera_m: tuple = (0.9, 1.6)
    frame_px: tuple = ((1280, 1024), (1280, 720), (640, 480))
    fill: tuple = (0.75, 1.02)  # share of the image height that the arena takes
    leaves_frame: float = 0.25  # share of sessions with `fill_out`
    fill_out: tuple = (1.3, 1.6)
    lens: tuple = (-0.22, 0.02)
    exposure_ms: tuple = (5.0, 30.0)
    latency_ms: tuple = (20.0, 100.0)
    stamp_jitter_ms: float = 0.3
    dropped: tuple = (0.0005, 0.01)  # of frames, in sessions with stamps
    dropped_run: tuple = (1, 6)
    dropped_runs_unstamped: tuple = (0, 2)
    dropped_run_unstamped: tuple = (2, 6)
    error_px: tuple = (2.0, 5.0)  # at a frame height of 1024
    posture_error: float = 0.6  # of the error, follows posture
    error_memory_s: tuple = (0.08, 0.30)
    outliers: tuple = (0.005, 0.02)
    swaps: tuple = (0.003, 0.012)
    swap_run: tuple = (1, 15)
    unsure: tuple = (0.03, 0.10)
    unsure_tail: tuple = (0.20, 0.40)
    unsure_s: tuple = (0.10, 0.60)
    hidden: tuple = (0.30, 0.70)
    hidden_sure: tuple = (0.05, 0.10)  # hidden points that are written as certain
    # annotators
    missed: tuple = (0.05, 0.12)
    missed_short: tuple = (0.30, 0.45)
    short_s: float = 0.30
    merged_gap_s: float = 0.5
    confused: tuple = (0.05, 0.12)
    late_factor: tuple = (0.8, 1.3)
    error_factor: tuple = (0.8, 1.2)


WORLDS = {
    "first": World(),
    "second": World(
        back_animals=("F1", "F3", "M2", "F5", "M5", "F6", "F9", "F12", "F15", "F18", "M7", "M10", "M13", "M16", "M19"),
        tempo_factor=1.12, tempo=(0.86, 1.14), walk_cm_s=(6.0, 38.0), imu_rates_hz=(100.0, 128.0, 200.0), box_deg=25.0,
        low_pass_hz=(22.0, 50.0), loss=(0.005, 0.03), tilt_deg=(20.0, 42.0), camera_m=(0.7, 1.1), lens=(-0.30, -0.08),
        fps=(30.0, 25.0, 60.0), error_px=(3.0, 5.0), unsure=(0.05, 0.10), missed=(0.08, 0.15), confused=(0.08, 0.15),
        late_factor=(1.1, 1.7), merged_gap_s=0.7, exposure_ms=(10.0, 30.0),
    ),
    "careful": World(  # as the first, annotated by careful people
        missed=(0.0, 0.01), missed_short=(0.0, 0.02), confused=(0.0, 0.01), late_factor=(0.05, 0.2),
        error_factor=(0.1, 0.2), merged_gap_s=0.1,
    ),
}


def table() -> dict:
    """Everything that is frozen, as plain values."""
    names = ("BOUTS", "ACTIVE", "CALM", "MOTION", "BODY", "HIDDEN_IN", "CONFUSED", "TIMING", "PACE", "KEYPOINTS")
    plain = {name: globals()[name] for name in names} | {"BEHAVIOURS": BEHAVIOURS, "UNLISTED": UNLISTED}
    plain["FOLLOWS"] = sorted([*pair, factor] for pair, factor in FOLLOWS.items())
    plain["WORLDS"] = {name: asdict(world) for name, world in WORLDS.items()}
    plain["SIZES"] = {name: asdict(size) for name, size in SIZES.items()}
    return plain


def table_hash() -> str:
    """First 16 hexadecimal digits of the SHA-256 of the frozen table."""
    return hashlib.sha256(json.dumps(table(), sort_keys=True).encode()).hexdigest()[:16]
