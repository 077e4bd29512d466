"""How fast the method infers: frames per second, and what share of the machine's arithmetic that is.

T frames, N windows of a batch, L frames of a window, D latent, M heads, F features.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from rbc.classifier import Classifier
from rbc.device import home, placed
from rbc.features import imu_features, pose_features
from rbc.inference import CHUNK, halo, one_thread, read_part, scaled_features, side_by_side
from rbc.recordings.session import Session
from rbc.signals import session_crop
from rbc.streaming import Stream

WINDOWS = (16, 32, 64, 128)
BATCHES = (16, 64, 256)
PEAK_SIZE = 2048


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """Least time of some runs, after one that warms up, until the device has done what it was given."""
    work()
    taken = []
    for _ in range(times):
        begin = finished()
        work()
        taken.append(finished() - begin)
    return min(taken)


def finished() -> float:
    """The time on a clock in seconds, once the device has done what it was given."""
    if home().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def matmul_peak(size: int = PEAK_SIZE, dtype: torch.dtype = torch.float32) -> float:
    """Floating point operations per second of a large product of matrices."""
    a = placed(torch.randn(size, size)).to(dtype)
    return 2 * size**3 / seconds(lambda: a @ a, times=5)


def decide(classifier: Classifier, folder: Path, adapt: bool) -> np.ndarray:
    """Decisions (T, C) of an aligned session, from its files."""
    session = Session.load(folder)
    guess = classifier.headline({session.name: session}, adapt)[session.name]
    return classifier.decision.decide(classifier.decision.probability(*guess))


@torch.inference_mode()
def operations(classifier: Classifier, session: Session) -> float:
    """Floating point operations of matrix products that a frame in the midst of a long session takes."""
    with FlopCounterMode(display=False) as counter:
        classifier.say(session, slice(CHUNK, 2 * CHUNK))
    return counter.get_total_flops() / CHUNK


@dataclass(frozen=True)
class Windowed:
    """The window-per-frame way beside the dense one, on features made once for the session.

    Around every frame each of WINDOWS is encoded anew; their latents are pooled and the MLP reads them. Features,
    pooling and decisions are given to it for free, and every thread encodes batches of its own, as it does in dense
    inference.
    """

    best_batch: dict[int, int]  # of each window, the fastest
    encoding_s: float  # for all windows of a frame
    mlp_s: float  # for a frame
    dense_encoding_s: float  # for a frame that a chunk keeps, its halo encoded too

    @property
    def seconds(self) -> float:
        """For a frame, from features to the MLP's probabilities."""
        return self.encoding_s + self.mlp_s


def windowed(classifier: Classifier, session: Session, sizes: Sequence[int] = BATCHES) -> Windowed:
    """Both ways on a session of more than a chunk, and than two of the largest batches."""
    network, mlp = classifier.model.network.eval(), classifier.mlp.eval()
    imu, pose = map(placed, scaled_features(network, session, classifier.model.recipe))
    there = torch.stack([~x.isnan().all(1) for x in (imu, pose)], 1)
    batches = range(2 * torch.get_num_threads())

    @torch.inference_mode()
    def encode(batch: int, length: int, first: int) -> None:
        rows = placed(first + torch.arange(batch)[:, None] + torch.arange(length))  # (N, L)
        network(imu[rows], pose[rows], there[rows])

    @torch.inference_mode()
    def read(inputs: list[Tensor], _: int) -> None:
        mlp(inputs)

    def per_frame(work: Callable[[int], None], frames: int) -> float:
        return seconds(lambda: list(side_by_side(work, batches)), times=2) / (frames * len(batches))

    taken = {n: {batch: per_frame(partial(encode, batch, n), batch) for batch in sizes} for n in WINDOWS}
    best = {length: min(row, key=row.get) for length, row in taken.items()}
    inputs = [placed(torch.randn(sizes[-1], head[0].in_features)) for head in mlp.heads]
    chunk = CHUNK + 2 * halo(network, classifier.model.recipe)
    return Windowed(best, sum(taken[length][batch] for length, batch in best.items()),
                    per_frame(partial(read, inputs), sizes[-1]), per_frame(partial(encode, 1, chunk), CHUNK))


@torch.inference_mode()
def profile(classifier: Classifier, session: Session) -> dict[str, float]:
    """Microseconds of one core that each step of dense inference takes for a frame that is kept."""
    network, mlp, recipe = classifier.model.network.eval(), classifier.mlp, classifier.model.recipe
    inner, margin = slice(CHUNK, 2 * CHUNK), halo(network, recipe) + mlp.reach
    crop = session_crop(session, inner.start - margin, inner.stop + margin, recipe)
    scaled = network.scale(imu_features(crop, recipe), pose_features(crop, recipe))
    latents = [network.encoded(m, x, crop.there) for m, x in enumerate(scaled)]
    part = read_part(network, session, recipe, slice(inner.start - mlp.reach, inner.stop + mlp.reach))
    said = mlp.probability(part.read, mlp.reach, mlp.reach + CHUNK)
    spoken, there = np.tile(said, (8, 1, 1)), np.ones((8 * CHUNK, said.shape[1]), bool)
    steps = {
        "files": lambda: session_crop(session, inner.start - margin, inner.stop + margin, recipe),
        "features": lambda: (imu_features(crop, recipe), pose_features(crop, recipe)),
        "encoders": lambda: [network.encoded(m, x, crop.there) for m, x in enumerate(scaled)],
        "fusion": lambda: network.fusion(*latents, crop.there),
        "MLP": lambda: mlp.probability(part.read, mlp.reach, mlp.reach + CHUNK),
        "decision": lambda: classifier.decision.decide(classifier.decision.probability(spoken, there)),
    }
    with one_thread():
        taken = {name: 1e6 * seconds(work) / CHUNK for name, work in steps.items()}
    return taken | {"decision": taken["decision"] / 8}


def pushes(classifier: Classifier, session: Session) -> dict[str, float]:
    """Milliseconds that a stream takes for a sample on one core, and its look-ahead in seconds."""
    stream = Stream(classifier, session.body_length_px)
    ready = session_crop(session, 0, len(session), stream.recipe)
    rows = torch.cat([ready.imu, ready.bands, ready.pose.flatten(2), ready.other.flatten(2)], 2)[0].numpy()
    taken = []
    with one_thread():
        for row in rows:
            begin = time.perf_counter()
            stream.push(row)
            taken.append(time.perf_counter() - begin)
    p50, p99, mean = (*np.percentile(taken[stream.look_ahead :], [50, 99]), np.mean(taken[stream.look_ahead :]))
    return {"p50": 1e3 * p50, "p99": 1e3 * p99, "mean": 1e3 * mean,
            "look_ahead_s": stream.look_ahead / stream.recipe.rate_hz}
