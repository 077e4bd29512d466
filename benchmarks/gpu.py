"""What a GPU makes of the method: `python -m benchmarks.gpu [--json FILE]`.

Everything is measured in one run on one machine, with one untaught network of the usual size (params.yaml): frames per
second from aligned files to decisions and of every training stage, on the GPU and on two of the machine's cores, each
in a process of its own, beside what the GPU could do at most.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import speed
from benchmarks.speed import decide, matmul_peak, operations, seconds, windowed
from benchmarks.steps import Training, speeds, step_shares, trainings
from benchmarks.tiled import FRAMES_PER_HOUR, HOURS, NOTES, tile, tiny_world, untaught
from rbc import classifier as module_of_classifier
from rbc import inference
from rbc.classifier import Classifier
from rbc.device import home
from rbc.experiment import Experiment
from rbc.outputs import write_json
from rbc.params import Params, changed, load
from rbc.recordings.session import Session

CORES = 2  # of the CPU that the GPU is compared with
CHUNKS = 4096, 16_384
BATCHES = 256, 1024  # of windows
SIZE = 8192  # of the matrices whose product shows what the GPU can do
COPIED = 2**30  # bytes
STEPS = {"cuda": 64, "cpu": 8}  # of training
EPOCH = 4  # steps that the MLP learns at least


def with_chunks(frames: int) -> ExitStack:
    """Inside, sessions are worked on in chunks of so many frames."""
    stack = ExitStack()
    for module in (inference, module_of_classifier, speed):
        stack.enter_context(patch.object(module, "CHUNK", frames))
    return stack


def at(device: str, threads: int) -> None:
    """From here on this process works on that device, with so many threads."""
    os.environ["RBC_DEVICE"] = device
    torch.set_num_threads(threads)


def said(device: str, threads: int, model: Path, session: Path) -> np.ndarray:
    """Probabilities (T, M, C) of a session on a device."""
    at(device, threads)
    return Classifier.load(model).guess({"": Session.load(session)})[""][0]


def deciding(device: str, threads: int, model: Path, sessions: dict[str, Path], adapt: bool) -> dict:
    """Frames per second from aligned files to decisions, of sessions by name."""
    at(device, threads)
    classifier, found = Classifier.load(model), {}
    decide(classifier, sessions[min(sessions, key=HOURS.get)], adapt)
    for name, session in sessions.items():
        begin = time.perf_counter()
        frames = len(decide(classifier, session, adapt))
        found[name] = frames / (time.perf_counter() - begin)
    return found


def learning(device: str, params: Params, experiment: Experiment, model: Path) -> dict[str, float]:
    """Frames per second of the steps of each stage that learns."""
    at(device, params.compute.threads)
    return speeds(params, trainings(params, experiment, Classifier.load(model)), STEPS[device])


def floating_operations(train: Training) -> float:
    """Of matrix products, forward and backward, in a step of training."""
    with tempfile.TemporaryDirectory() as scratch, FlopCounterMode(display=False) as counter:
        train(EPOCH, Path(scratch))
    return counter.get_total_flops() / EPOCH


def on_gpu(params: Params, experiment: Experiment, model: Path, sessions: dict[str, Path]) -> dict:
    """What is asked of the GPU alone."""
    at("cuda", params.compute.threads)
    classifier, longest = Classifier.load(model), sessions[max(sessions, key=HOURS.get)]
    stretch, adapt = Session.load(longest), params.evaluate.adapt
    blank = torch.empty(COPIED, dtype=torch.uint8, device=home())
    found = {
        "device": torch.cuda.get_device_name(home()), "torch": torch.__version__, "threads": params.compute.threads,
        "matmul_tflop_per_s": {"float32": matmul_peak(SIZE) / 1e12, "bfloat16": matmul_peak(SIZE, torch.bfloat16) / 1e12},
        "copy_gb_per_s": 2 * COPIED / seconds(blank.clone) / 1e9,
        "mflop_per_frame": operations(classifier, stretch) / 1e6,
    }
    del blank
    torch.cuda.reset_peak_memory_stats()
    found["chunk_frames_per_s"] = {}
    for frames in CHUNKS:
        with with_chunks(frames):
            found["chunk_frames_per_s"][frames] = len(stretch) / seconds(partial(decide, classifier, longest, adapt), 1)
    found["inference_gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
    with with_chunks(CHUNKS[-1]):
        window = windowed(classifier, stretch, BATCHES)
    found["encoding_us_per_frame"] = {"dense": 1e6 * window.dense_encoding_s, "windowed": 1e6 * window.encoding_s}
    found["windowed_best_batch"] = window.best_batch
    stages = trainings(params, experiment, classifier)
    torch.cuda.reset_peak_memory_stats()
    found["shares"] = {name: step_shares(train) for name, train in stages.items()}
    found["training_gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
    found["gflop_per_step"] = {name: floating_operations(train) / 1e9 for name, train in stages.items()}
    return found


def measure(params: Params, root: Path) -> Iterator[tuple[str, object]]:
    """What is measured, by name, as it comes."""
    experiment = tiny_world(params, root)
    model = root / "model"
    model.mkdir()
    untaught(params, experiment).save(model, NOTES)
    session = next(iter(experiment.sessions.values()))
    sessions = {n: tile(session, int(FRAMES_PER_HOUR * HOURS[n]), root / n) for n in ("10min", "1h")}
    few, brief = changed(params, {"compute": {"threads": CORES}}), {"10min": sessions["10min"]}
    threads, adapt = params.compute.threads, params.evaluate.adapt
    yield "training_frames_per_s", {"gpu": alone(learning, "cuda", params, experiment, model),
                                    "cores": alone(learning, "cpu", few, experiment, model)}
    yield "inference_frames_per_s", {"gpu": alone(deciding, "cuda", threads, model, sessions, adapt),
                                     "cores": alone(deciding, "cpu", CORES, model, brief, adapt)}
    here, there = (alone(said, *place, model, sessions["10min"]) for place in (("cpu", CORES), ("cuda", threads)))
    yield "differs_by", float(np.nanmax(np.abs(here - there)))
    yield "gpu", alone(on_gpu, params, experiment, model, sessions)


def alone(work: Callable, *arguments):
    """What the work makes of the arguments, in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, help="file for the results, written anew with each")
    told, done = parser.parse_args(), {}
    with tempfile.TemporaryDirectory() as folder:
        for name, found in measure(load(), Path(folder)):
            done[name] = found
            print(name, found, flush=True)
            if told.json:
                write_json(told.json, done)


if __name__ == "__main__":
    main()
