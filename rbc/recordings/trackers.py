"""Files of other trackers (SLEAP, NWB), read by the optional package `movement`; imported only where one is read."""

from pathlib import Path

import numpy as np

from rbc.recordings.errors import RecordingError

LOADERS = {".slp": "from_sleap_file", ".h5": "from_sleap_file", ".hdf5": "from_sleap_file", ".nwb": "from_nwb_file"}
EXTRA = "needs the optional package movement: pip install 'movement'"


def read_poses(path: Path) -> tuple[list[tuple[str, str, str]], np.ndarray]:
    """((individual, keypoint, coordinate) of each column, values (N, C) f8) of a file that `movement` can load.

    Raises RecordingError without the package, and for files that it refuses.
    """
    try:
        from movement.io import load_poses
    except ImportError as error:
        raise RecordingError(f"{path}: no DeepLabCut file, and {EXTRA} ({error})") from None
    try:
        poses = getattr(load_poses, LOADERS[path.suffix.lower()])(path)
        position = poses["position"].transpose("time", "individuals", "keypoints", "space")
        confidence = poses["confidence"].transpose("time", "individuals", "keypoints")
        names = [[str(name) for name in position.coords[axis].values] for axis in ("individuals", "keypoints", "space")]
        place, sure = np.asarray(position.values, np.float64), np.asarray(confidence.values, np.float64)
    except Exception as error:  # whatever another package raises on a user's file is said in one line
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise RecordingError(f"{path}: movement cannot load it: {reason}") from None
    seen = np.isfinite(place).all(axis=-1)
    scored = np.isfinite(sure).any()
    sure = np.where(seen, np.nan_to_num(sure) if scored else 1.0, 0.0)  # labels by hand have no score
    animals, keypoints, axes = names
    columns = [(animal, part, coord) for animal in animals for part in keypoints for coord in (*axes, "likelihood")]
    return columns, np.concatenate([place, sure[..., None]], axis=-1).reshape(len(place), -1)
