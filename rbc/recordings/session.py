"""The unit of everything: one aligned recording of one animal on the common clock.

T frames, K keypoints, C behaviours, A annotators. Saved as a folder of .npy files beside a session.json; loaded as
memory maps, so that a crop reads only its own frames.
"""

import errno
import json
import resource
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rbc.recordings.errors import RecordingError

MODALITIES = ("imu", "pose")
PRESENT, ABSENT, NOT_SCORED = 1, 0, -1
OTHER_FILES = 256  # that a process may want to keep open beside the sessions'
ARRAYS = {  # name -> (dtype, rank)
    "time": ("f8", 1),
    "imu": ("f4", 2),
    "bands": ("f4", 2),
    "pose": ("f4", 3),
    "other": ("f4", 3),
    "ready_imu": ("f4", 2),
    "ready_pose": ("f4", 2),
    "valid": ("?", 2),
    "labels": ("i1", 2),
    "annotators": ("i1", 3),
    "video_frame": ("i4", 1),
}


@dataclass(frozen=True)
class Session:
    name: str
    animal: str
    setup: str
    rate_hz: float
    behaviours: tuple[str, ...]
    keypoints: tuple[str, ...]
    imu_names: tuple[str, ...]
    band_names: tuple[str, ...]
    ready_imu_names: tuple[str, ...]
    ready_pose_names: tuple[str, ...]
    annotator_names: tuple[str, ...]
    body_length_px: float
    """Median length of the body axis in this session, in pixels; NaN without keypoints."""
    time: np.ndarray
    """(T,) seconds on the common clock (the camera's)."""
    imu: np.ndarray
    """(T, <=6) acc m/s², gyro rad/s in body axes; NaN where missing; columns as `imu_names`."""
    bands: np.ndarray
    """(T, F) log10 band powers of |acc| and |gyro|, taken at the IMU's own rate; NaN where missing."""
    pose: np.ndarray
    """(T, K, 3) x px, y px, likelihood (T, K, 4 in 3D); NaN coordinates where missing."""
    other: np.ndarray
    """(T, 2, 3) front and rear of the nearest other animal's trunk, as pose; (T, 0, 3) where no other is ever seen."""
    ready_imu: np.ndarray
    """(T, F) ready-made features in the IMU slot."""
    ready_pose: np.ndarray
    """(T, F) ready-made features in the pose slot."""
    valid: np.ndarray
    """(T, 2) really measured? columns as MODALITIES."""
    labels: np.ndarray
    """(T, C) 1 present, 0 absent, -1 not scored."""
    annotators: np.ndarray
    """(A, T, C) each annotator alone."""
    video_frame: np.ndarray
    """(T,) index of the nearest video frame, -1 without a video."""
    report: dict = field(default_factory=dict)
    """clock, mounting, missing shares, source hashes: what align_data found."""

    def __len__(self) -> int:
        return len(self.time)

    @property
    def mount(self) -> str:
        """Whether the IMU sits on the head or the back, by the manifest or by which of them turns as the IMU feels;
        empty where nobody can tell."""
        return self.report.get("mount", "")

    @property
    def day(self) -> str:
        """The manifest's day; empty where it names none."""
        return self.report.get("manifest", {}).get("day", "")

    def save(self, folder: Path) -> None:
        """Write every array and session.json below `folder`, which must not exist yet."""
        self.validate()
        folder.mkdir(parents=True)
        for name, (dtype, _) in ARRAYS.items():
            np.save(folder / f"{name}.npy", np.ascontiguousarray(getattr(self, name), dtype=dtype))
        header = {k: getattr(self, k) for k in self.__dataclass_fields__ if k not in ARRAYS}
        # 6 decimals: in the last digits machines, and numbers of threads, differ
        header = json.loads(json.dumps(header), parse_float=lambda digits: round(float(digits), 6))
        (folder / "session.json").write_text(json.dumps(header, indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Session":
        """Session of memory-mapped, read-only arrays."""
        folder = Path(folder)
        header = json.loads((folder / "session.json").read_text())
        header = {k: tuple(v) if isinstance(v, list) else v for k, v in header.items()}
        arrays = {}
        for name in ARRAYS:
            path = folder / f"{name}.npy"
            empty = np.load(path, allow_pickle=False, mmap_mode=None) if path.stat().st_size <= 128 else None
            arrays[name] = empty if empty is not None else np.load(path, allow_pickle=False, mmap_mode="r")
        return cls(**header, **arrays)

    def validate(self) -> None:
        """Raise RecordingError listing every array that does not fit the contract."""
        frames, problems = len(self.time), []
        widths = {
            "imu": len(self.imu_names), "bands": len(self.band_names), "pose": len(self.keypoints),
            "other": 2 if np.size(self.other) else 0,
            "ready_imu": len(self.ready_imu_names), "ready_pose": len(self.ready_pose_names),
            "valid": len(MODALITIES), "labels": len(self.behaviours),
        }
        for name, (_, rank) in ARRAYS.items():
            array = getattr(self, name)
            time_axis = 1 if name == "annotators" else 0
            if array.ndim != rank or array.shape[time_axis] != frames:
                problems.append(f"{self.name}: {name} has shape {array.shape}; needs rank {rank} and {frames} frames")
            elif name in widths and array.shape[1] != widths[name]:
                problems.append(f"{self.name}: {name} has {array.shape[1]} columns; {widths[name]} are named")
        if not np.all(np.diff(self.time) > 0):
            problems.append(f"{self.name}: time does not increase")
        if not np.logical_or.reduce([self.labels == said for said in (PRESENT, ABSENT, NOT_SCORED)]).all():
            problems.append(f"{self.name}: labels hold other values than 1, 0 and -1")
        if problems:
            raise RecordingError(problems)

    def without(self, modality: str) -> "Session":
        """The same session with one modality gone for its whole length."""
        valid = np.array(self.valid)
        valid[:, MODALITIES.index(modality)] = False
        lost = {"imu": ("imu", "bands", "ready_imu"), "pose": ("pose", "other", "ready_pose")}[modality]
        gone = {name: np.broadcast_to(np.float32(np.nan), getattr(self, name).shape) for name in lost}
        return replace(self, valid=valid, **gone)


def activity(session: Session) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T,) each: distance of |acc| from gravity in m/s², |gyro| in °/s, speed in body lengths/s; NaN where missing."""
    column = {name: np.asarray(session.imu[:, i], "f8") for i, name in enumerate(session.imu_names)}
    nothing = np.full(len(session), np.nan)
    acc, gyro = ([column.get(f"{kind}_{axis}", nothing) for axis in "xyz"] for kind in ("acc", "gyro"))
    speed = nothing
    if session.keypoints:
        points = np.asarray(session.pose[..., :2], "f8")
        count = (~np.isnan(points)).sum(1)
        centre = np.nansum(points, 1) / np.where(count > 0, count, np.nan)
        speed = np.linalg.norm(np.gradient(centre, axis=0), axis=1) * session.rate_hz / session.body_length_px
    return np.abs(np.sqrt(sum(a**2 for a in acc)) - 9.81), np.degrees(np.sqrt(sum(g**2 for g in gyro))), speed


def load_sessions(folder: Path) -> dict[str, Session]:
    """Every aligned session below `folder`, by name, in order of name.

    A memory map keeps its file open, so that many sessions need more than the usual 1024 open files: this process is
    allowed as many as they need. Raises RecordingError where the system forbids it.
    """
    folders = [path.parent for path in sorted(Path(folder).glob("*/session.json"))]
    needed = len(ARRAYS) * len(folders) + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if most > soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        return {path.name: Session.load(path) for path in folders}
    except OSError as fault:
        if fault.errno != errno.EMFILE:
            raise
        raise RecordingError(f"{folder}: {len(folders)} sessions need up to {needed} open files; the system allows"
                             f" {hard} (ulimit -Hn)") from None
