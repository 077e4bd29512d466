"""The two older folder layouts that have no manifest: sessions found by the names of their files.

1. `IMU/samples_<s>.npy`, `DLC/samples_<s>.npy` without labels; `sup_IMU/sup_IMU_<s>.npy`, `sup_DLC/sup_DLC_<s>.npy`
   with `sup_labels/sup_labels_<s>.npy`.
2. `IMU/<s>/<s>_IMU_features_madnorm.csv`, `DLC/<s>/final_filtered_<s>_50hz_madnorm.csv`, `labels/<s>/label_<s>.csv`.
"""

import re
from pathlib import Path

LAYOUT_RATE_HZ = 50.0  # they state none: their features were made at this rate
PATTERNS = {
    "imu": r"IMU/samples_(?P<s>[^/]+)\.npy|IMU/(?P<t>[^/]+)/(?P=t)_IMU_features_madnorm\.csv",
    "pose": r"DLC/samples_(?P<s>[^/]+)\.npy|DLC/(?P<t>[^/]+)/final_filtered_(?P=t)_50hz_madnorm\.csv",
    "labels": r"labels/(?P<t>[^/]+)/label_(?P=t)\.csv|(?P<s>(?!))",
    "sup_imu": r"sup_IMU/sup_IMU_(?P<s>[^/]+)\.npy|(?P<t>(?!))",
    "sup_pose": r"sup_DLC/sup_DLC_(?P<s>[^/]+)\.npy|(?P<t>(?!))",
    "sup_labels": r"sup_labels/sup_labels_(?P<s>[^/]+)\.npy|(?P<t>(?!))",
}


def find_layout(root: Path) -> list[dict[str, str]]:
    """Manifest cells of each session of an older layout below `root`; empty where there is none.

    The session of sup_ files is <s>, or <s>_sup where <s> is there without labels too: both are then one setup.
    """
    files = sorted(p.relative_to(root).as_posix() for kind in ("*/*.npy", "*/*/*.csv") for p in Path(root).glob(kind))
    plain, supervised = {}, {}
    for file in files:
        for slot, pattern in PATTERNS.items():
            found = re.fullmatch(pattern, file)
            if found:
                session = found["s"] or found["t"]
                group = supervised if slot.startswith("sup_") else plain
                group.setdefault(session, {})[slot.removeprefix("sup_")] = file
    rate = f"{LAYOUT_RATE_HZ:g}"
    rows = [(s, s, cells) for s, cells in plain.items()]
    rows += [(f"{s}_sup" if s in plain else s, s, cells) for s, cells in supervised.items()]
    rows.sort(key=lambda row: row[0])
    return [dict(cells, session=name, setup=s, pose_rate_hz=rate, imu_rate_hz=rate) for name, s, cells in rows]
