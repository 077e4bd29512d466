"""A whole simulated recording folder."""

from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from rbc.simulate import writer
from rbc.simulate.recording import write_session
from rbc.simulate.world import SIZES, WORLDS, table_hash


def simulate(folder: Path, world: str, size: str, seed: int, progress: bool = False, workers: int = 1) -> None:
    """Write sessions.csv, pose/, imu/, labels/ and truth/ into `folder`, which must be empty or absent.

    `world` is a name of WORLDS, `size` of SIZES; the bytes depend on these and on `seed`, not on `workers`.
    """
    for name, known in ((world, WORLDS), (size, SIZES)):
        if name not in known:
            raise ValueError(f"simulate: {name!r} is unknown; known are {', '.join(known)}")
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"simulate: {folder} is not empty")
    for name in writer.FOLDERS:
        (folder / name).mkdir(parents=True)
    plans = SIZES[size].sessions
    # the longest first, so that two workers end together
    order = sorted(range(len(plans)), key=lambda i: (-plans[i].minutes, i))
    arguments = [(folder, plans[i], world, size, seed) for i in order]
    rows = {}
    with ExitStack() as stack:
        run = stack.enter_context(ProcessPoolExecutor(workers)).map if workers > 1 else map
        done = tqdm(run(write_session, *zip(*arguments)), "simulate", len(plans), unit="session", disable=not progress)
        for row, i in zip(done, order):
            rows[i] = row
    writer.write_manifest(folder, [rows[i] for i in range(len(plans))])
    writer.write_origin(folder, world=world, size=size, seed=seed, table=table_hash())
