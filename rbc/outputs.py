"""Whole outputs or none: folders, tables and checkpoints of a stage that may be killed at any moment.

A stage writes inside `with writing(Path("data/pretrain")) as folder:`. It holds a lock on its output, dies with the dvc
that started it (killing dvc alone leaves its stages running), and renames what it wrote only when all of it is there.
"""

import ctypes
import fcntl
import hashlib
import json
import math
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import pandas as pd

from rbc.disk import or_nothing, remove
from rbc.progress import announce

LOCAL = Path(".scratch")
DECIMALS = 6
SEPARATORS = {".csv": ",", ".tsv": "\t"}
POLL_S = 0.5

_checkpoints: dict[Path, IO | None] = {}  # folders that scratch() gave out, with the locks held on them
_locks: set[IO] = set()  # held by this process


class BusyError(RuntimeError):
    """Another process is writing the same output."""


@contextmanager
def writing(path: Path, wait_s: float = 30.0) -> Iterator[Path]:
    """A new empty folder that becomes `path` when the block ends well; an error leaves `path` as it was, a
    full disk is said in a FullDiskError.

    Waits up to `wait_s` for another writer of `path`, then raises BusyError. Checkpoints of the stage named like `path`
    are deleted at the end. In distributed training rank 0 writes; the folder of any other rank is thrown away.
    """
    die_with_parent()
    if _rank() > 0:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    announce(path)
    lock = _lock(LOCAL / "locks" / f"{path.as_posix().replace('/', '_')}.lock", wait_s)
    if lock is None:
        raise BusyError(f"{path}: another process is still writing it after {wait_s:g} s; end it, then run again")
    try:
        new, old = path.with_name(f".{path.name}.tmp"), path.with_name(f".{path.name}.old.tmp")
        remove(new), remove(old)  # left by a killed run
        with or_nothing(new, path, elsewhere=_checkpoints):
            new.mkdir(parents=True)
            yield new
        if path.exists() or path.is_symlink():
            path.rename(old)
        new.rename(path)
        remove(old)
        for folder in [folder for folder in _checkpoints if _stage(folder) == path.name]:
            remove(folder)
            _release(_checkpoints.pop(folder))
    finally:
        _release(lock)


def scratch(stage: str, fingerprint: str) -> Path:
    """Folder for resumable checkpoints of exactly this run: `.scratch/<stage>-<fingerprint>/`, kept over a kill.

    Call it inside `writing`, whose lock guards it. Folders of the same stage with another fingerprint are deleted.
    Under $RBC_SCRATCH, which checkouts may share, nothing of others is deleted and a folder in use is left to its user.
    """
    name, shared = f"{stage}-{fingerprint}", os.environ.get("RBC_SCRATCH")
    folder, lock = Path(shared or LOCAL) / name, None
    if _rank() == 0 and shared:
        lock = _lock(Path(shared) / "locks" / f"{name}.lock", wait_s=0)
        if lock is None and _world() > 1:
            raise BusyError(f"{folder}: another run is training exactly this; wait for it or unset RBC_SCRATCH")
        folder = folder if lock else LOCAL / name
    elif _rank() == 0:
        for stale in set(LOCAL.glob(f"{stage}-*")) - {folder}:
            remove(stale)
    folder.mkdir(parents=True, exist_ok=True)
    _checkpoints[folder] = lock
    return folder


def fingerprint(params: dict, inputs: list[Path]) -> str:
    """Sixteen hex digits that change with any setting, input byte, line of loaded code, version or number of processes.

    `params` holds the sections that the stage reads, `inputs` files and folders. Raises FileNotFoundError.
    """
    numerics = {name: sys.modules[name].__version__ for name in ("numpy", "torch") if name in sys.modules}
    digest = hashlib.sha256(json.dumps([params, numerics, _world()], sort_keys=True, default=str).encode())
    loaded = {getattr(module, "__file__", None) for name, module in sys.modules.items()
              if name.split(".")[0] in ("rbc", "stages", "benchmarks", "__main__")}
    for file in sorted(filter(None, loaded)):
        digest.update(_content(Path(file)))
    for path in inputs:
        files = [file for file in sorted(path.rglob("*")) if file.is_file()] if path.is_dir() else [path]
        for file in files:
            digest.update(file.as_posix().encode() + b"\0" + _content(file))
    return digest.hexdigest()[:16]


def write_json(path: Path, value: Any) -> None:
    """Write nested dicts, lists, numbers and numpy values: 6 decimals, order kept, NaN and infinity as null."""
    write_text(path, json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a .csv or .tsv without index: 6 decimals, missing values empty. Raises ValueError for another suffix."""
    if path.suffix not in SEPARATORS:
        raise ValueError(f"{path}: a table is written as one of {', '.join(SEPARATORS)}")
    floats = table.select_dtypes("floating")
    rounded = table.assign(**{name: floats[name].astype("f8").round(DECIMALS) + 0.0 for name in floats})
    write_text(path, rounded.to_csv(index=False, sep=SEPARATORS[path.suffix], lineterminator="\n"))


def write_text(path: Path, text: str) -> None:
    """Write a file (a page, say) whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.tmp")
    with or_nothing(new, path):
        new.write_text(text, encoding="utf-8", newline="\n")
    new.replace(path)


def die_with_parent() -> None:
    """Kill this process as soon as the dvc that started it is gone (torchrun in between included); else do nothing."""
    if "DVC_STAGE" not in os.environ:  # set by dvc for the commands that it runs
        return
    parent = os.getppid()
    if parent == 1 and b"dvc" not in _proc(1, "cmdline"):
        sys.exit("the dvc that started this stage is gone")
    _kill_me_after_my_parent()
    launcher = _parent_of(parent) if "TORCHELASTIC_RUN_ID" in os.environ else None

    def watch() -> None:
        while os.getppid() == parent and (launcher is None or _parent_of(parent) == launcher):
            time.sleep(POLL_S)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _kill_me_after_my_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _in_child() -> None:
    """A worker process holds none of the locks of the stage that forked it, and does not outlive it under dvc."""
    for file in _locks:
        file.close()
    if "DVC_STAGE" in os.environ:
        _kill_me_after_my_parent()


os.register_at_fork(after_in_child=_in_child)


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error of ours is a message to the user, which a traceback would bury."""
    if kind.__module__.startswith("rbc."):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _explain


def _lock(path: Path, wait_s: float) -> IO | None:
    """The open file while this process holds the lock on it, None if another one still does after `wait_s`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file, deadline = path.open("a"), time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _locks.add(file)
            return file
        except BlockingIOError:
            if time.monotonic() >= deadline:
                file.close()
                return None
            time.sleep(0.1)


def _release(lock: IO | None) -> None:
    if lock:
        _locks.discard(lock)
        lock.close()


def _stage(folder: Path) -> str:
    return folder.name.rpartition("-")[0]


def _content(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, DECIMALS) + 0.0 if math.isfinite(value) else None  # + 0.0: no -0.0
    return value


def _rank() -> int:
    return int(os.environ.get("RANK", 0))


def _world() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


def _proc(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # no such process, or no /proc on this system
        return b""


def _parent_of(pid: int) -> bytes:
    """Process id of the parent of `pid`; empty where unknown."""
    fields = _proc(pid, "stat").rpartition(b")")[2].split()  # after the name: state, parent, ...
    return fields[1] if fields else b""
