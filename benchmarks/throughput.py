"""How fast and how lean the method is: `python -m benchmarks.throughput [--quick] [--json FILE] [--page FILE] [--plot
FILE]`.

Everything is measured in one run, with one untaught network of the usual size (params.yaml), on a simulated session
that is repeated to any length: frames per second from aligned files to decisions beside the way of one window per
frame, peak memory of sessions of an hour and of a day in processes of their own, steps of training, and what a stream
takes for one sample. --quick leaves out the lengths between, which show how time and memory grow.
"""

import argparse
import platform
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from benchmarks.speed import decide, matmul_peak, operations, profile, pushes, seconds, windowed
from benchmarks.steps import PARTS, inference_shares, speeds, step_shares, trainings
from benchmarks.tiled import FRAMES_PER_HOUR, HOURS, NOTES, SESSION_MINUTES, tile, tiny_world, untaught
from rbc.classifier import Classifier
from rbc.outputs import write_json, write_text
from rbc.params import Params, load
from rbc.recordings.session import Session

QUICK = "1h", "24h"
SESSIONS = (1, 2, 4)
SHARED = *PARTS, "forward", "other"


def alone(model: Path, session: Path, threads: int, adapt: bool) -> dict[str, float]:
    """Seconds that deciding the session takes in this process, which does nothing else, and its peak memory in MiB."""
    torch.set_num_threads(threads)
    classifier, begin = Classifier.load(model), time.perf_counter()
    frames = len(decide(classifier, session, adapt))
    taken = time.perf_counter() - begin
    return {"seconds": taken, "frames_per_s": frames / taken, "peak_mib": peak_kib() / 1024}


def peak_kib() -> float:
    """Peak memory of this process; what getrusage says begins, on Linux, with the peak of the one that started it."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return float(own[0]) if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def lengths(model: Path, session: Session, hours: dict[str, float], root: Path, params: Params) -> dict[str, dict]:
    """What `alone` says of sessions of so many hours, by name."""
    found = {}
    for name, length in hours.items():
        with tempfile.TemporaryDirectory(dir=root) as folder, ProcessPoolExecutor(1, get_context("spawn")) as pool:
            tiled = tile(session, int(FRAMES_PER_HOUR * length), Path(folder) / name)
            arguments = model, tiled, params.compute.threads, params.evaluate.adapt
            found[name] = pool.submit(alone, *arguments).result()
    return found


def measure(params: Params, root: Path, quick: bool) -> dict:
    """Everything that is measured, by name."""
    experiment = tiny_world(params, root)
    classifier, adapt = untaught(params, experiment), params.evaluate.adapt
    (root / "model").mkdir()
    classifier.save(root / "model", NOTES)
    session = next(iter(experiment.sessions.values()))
    hours = {name: HOURS[name] for name in (QUICK if quick else HOURS)}
    long = lengths(root / "model", session, hours, root, params)
    piece, dense = tile(session, int(FRAMES_PER_HOUR * SESSION_MINUTES / 60), root / "piece"), long["24h"]["frames_per_s"]
    stretch = Session.load(piece)
    window, stages = windowed(classifier, stretch), trainings(params, experiment, classifier)
    peak, per_frame = matmul_peak(), operations(classifier, stretch)
    return {
        "inference": {
            "dense_frames_per_s": dense, "windowed_frames_per_s": 1 / window.seconds, "ratio": dense * window.seconds,
            "encoding_ratio": window.encoding_s / window.dense_encoding_s,
            "encoding_us_per_frame": {"dense": 1e6 * window.dense_encoding_s, "windowed": 1e6 * window.encoding_s},
            "matmul_peak_share": per_frame * dense / peak, "windowed_best_batch": window.best_batch,
        },
        "memory_mib": {name: row["peak_mib"] for name, row in long.items()},
        "seconds": {name: row["seconds"] for name, row in long.items()},
        "profile_us_per_frame": profile(classifier, stretch),
        "stream_ms": pushes(classifier, session),
        "causal_stream_ms": pushes(untaught(causal(params), experiment), session),
        "training": speeds(params, stages),
        "training_profile": {name: step_shares(train) for name, train in stages.items()}
        | {"inference": inference_shares(classifier, stretch)},
        "matmul": {"peak_gflop_per_s": peak / 1e9, "mflop_per_frame": per_frame / 1e6},
        "sessions_s": {n: seconds(lambda: [decide(classifier, piece, adapt) for _ in range(n)], 1)  # noqa: B023
                       for n in SESSIONS},
        "device": f"{processor()}, {params.compute.threads} threads, torch {torch.__version__}",
    }  # fmt: skip


def causal(params: Params) -> Params:
    """The settings of a network that looks back only."""
    return params.model_copy(update={"model": params.model.model_copy(update={"causal": True})})


def processor() -> str:
    """The processor's name."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def page(done: dict) -> str:
    """The results as a Markdown page."""
    said, per_frame, peak = done["inference"], done["matmul"]["mflop_per_frame"], done["matmul"]["peak_gflop_per_s"]
    encoding = said["encoding_us_per_frame"]
    stream, at_once = done["stream_ms"], done["causal_stream_ms"]
    best = ", ".join(f"{batch} windows of {window}" for window, batch in said["windowed_best_batch"].items())
    lines = [
        "# Throughput", "",
        f"`python -m benchmarks.throughput --page docs/throughput.md` on {done['device']}; an untaught network.",
        "", "| from aligned files to decisions | |", "|---|---|",
        f"| dense, a day of recording | {said['dense_frames_per_s']:,.0f} frames/s |",
        f"| every frame's windows of {', '.join(map(str, said['windowed_best_batch']))} frames encoded anew, at the"
        f" best batch sizes ({best}) | {said['windowed_frames_per_s']:,.0f} frames/s |",
        f"| ratio | {said['ratio']:,.0f} |",
        f"| of this the network alone, which is all that the two ways do differently: dense {encoding['dense']:,.1f} µs a"
        f" frame, windows {encoding['windowed']:,.0f} µs; ratio | {said['encoding_ratio']:,.0f} |",
        f"| arithmetic of matrix products | {per_frame:.2f} MFLOP a frame, {said['matmul_peak_share']:.0%} of the"
        f" {peak:,.0f} GFLOP/s of a large product |",
        "", "| step of dense inference, one core | µs a frame |", "|---|---|",
        *(f"| {step} | {taken:.1f} |" for step, taken in done["profile_us_per_frame"].items()),
        "", "| session | seconds | peak memory, MiB |", "|---|---|---|",
        *(f"| {n} | {done['seconds'][n]:,.1f} | {mib:,.0f} |" for n, mib in done["memory_mib"].items()),
        "", f"| sessions of {SESSION_MINUTES} minutes | seconds |", "|---|---|",
        *(f"| {n} | {taken:.2f} |" for n, taken in done["sessions_s"].items()),
        "", f"A stream takes {stream['p50']:.2f} ms for a sample (median), {stream['p99']:.2f} ms (99 %), on one core;"
        f" its look-ahead is {stream['look_ahead_s']:.2f} s. Of a causal network (`model.causal`) it takes"
        f" {at_once['p50']:.2f} and {at_once['p99']:.2f} ms, and looks {at_once['look_ahead_s']:.0f} s ahead.",
        "", "| training, forward and backward, each view counted | frames/s |", "|---|---|",
        *(f"| {stage} | {speed:,.0f} |" for stage, speed in done["training"].items()),
        "", f"| share of a step's time | {' | '.join(SHARED)} |", "|---" * (1 + len(SHARED)) + "|",
        *(f"| {stage} | {' | '.join(f'{shares.get(part, 0):.0%}' for part in SHARED)} |"
          for stage, shares in done["training_profile"].items()),
        "", "Crops are cut from mapped files; forward counts losses too; other is the loop itself. Of inference, a chunk"
        " from files to the heads' probabilities.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under five minutes: an hour and a day, no curves")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--page", type=Path, help="Markdown page for the results")
    parser.add_argument("--plot", type=Path, help="HTML page that draws time and memory")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        done = measure(load(), Path(folder), told.quick)
    print(page(done))
    if told.json:
        write_json(told.json, done)
    if told.page:
        write_text(told.page, page(done))
    if told.plot:
        from benchmarks.growth import growth_page  # plotly is not everywhere where speed is measured

        write_text(told.plot, growth_page(done))


if __name__ == "__main__":
    main()
