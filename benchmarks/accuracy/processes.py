"""Processes that do not outlive the benchmark which started them."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from benchmarks.imports import ROOT

POLL_S = 0.5


def die_with_parent() -> None:
    """Kill this process as soon as the one that started it is gone, however that one ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_S)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def run(module: str, folder: Path) -> None:
    """A command of this project in another folder, on one thread; what it prints goes to log.txt there. It ends with
    this process. Raises CalledProcessError."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DVC_STAGE": module}  # its own workers end too
    dying = die_with_parent if sys.platform == "linux" else None
    with (folder / "log.txt").open("a") as log:
        subprocess.run([sys.executable, "-m", module], cwd=folder, env=env, stdout=log, stderr=log, check=True,
                       preexec_fn=dying)
