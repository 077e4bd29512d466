"""Behaviours while they happen: samples go in one by one, probabilities come out after a look-ahead.

They are those of the whole session without adaptation. Blocks of n frames climb from floor to floor: features,
encoders, fusion, MLP. A floor keeps as many blocks around the one it works on as decide it, so that each is worked out
once; what a block costs is spread over the pushes of the next one, a step each. Frames of a causal model wait for
nothing: each is worked out as it comes, by parts that remember. Streams stay on the CPU.

n frames of a block, F features, D latent, M heads, C behaviours.
"""

import copy
from collections import deque
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from rbc.classifier import Classifier
from rbc.features import imu_features, pose_features
from rbc.inference import Part, heads_there
from rbc.remembering import SteppedMlp, SteppedNetwork
from rbc.signals import ENDS, IMU_CHANNELS, Crop, Recipe, is_there

STEPS = 9  # of a block: features of two modalities, two encoders, fusion, MLP of three heads, decision


def columns(recipe: Recipe) -> tuple[str, ...]:
    """What a sample holds: aligned signals, in this order."""
    points = [*recipe.keypoints, *(f"other_{end}" for end in ENDS if recipe.others)]
    tracked = (f"{point}_{field}" for point in points for field in ("x", "y", "likelihood"))
    return (*IMU_CHANNELS, *recipe.band_names, *tracked, *recipe.ready_imu_names, *recipe.ready_pose_names)


class Stream:
    """`push` samples; `look_ahead` frames after a frame its probabilities have been said, with it where that is 0. At the
    end, `finish`. mount: where the IMU is worn, as `Session.mount`."""

    @torch.inference_mode()
    def __init__(self, classifier: Classifier, body_length_px: float, mount: str = ""):
        self.classifier, self.recipe = classifier, classifier.model.recipe
        self.causal, self.body_length_px = self.recipe.causal, float(body_length_px)
        self.taught = classifier.taught(mount)
        self.columns = columns(self.recipe)
        if self.causal:
            self.network, self.mlp = SteppedNetwork(classifier.model.network), SteppedMlp(classifier.mlp)
            self.around, self.look_ahead = self._nothing(self.recipe.reach + 1), 0  # the last samples
            return
        self.network, self.mlp = (copy.deepcopy(x).cpu().eval() for x in (classifier.model.network, classifier.mlp))
        self.block = self.network.GRID  # a whole segment of the alignment heads
        reaches = self.recipe.reach, self.network.imu_encoder.context, self.network.fusion.context - self.block
        around = [-(-n // self.block) for n in reaches]
        self.signals, self.features, self.encoded = (deque(maxlen=2 * n + 1) for n in around)
        self.read: list[Tensor] = []  # latents, features and there (n, ...) of the frames from `first` on
        self.first = self.said = self.frames = 0  # frame at which `read` begins, frames said, frames pushed
        self.above = sum(around)  # blocks that a block waits for before the MLP reads it
        self.look_ahead = (self.above + 1) * self.block + self.mlp.reach + STEPS
        self.waiting: list[np.ndarray] = []
        self.work: Iterator[np.ndarray | None] = iter(())
        for _ in range(self.above):  # nothing is there before the first frame
            list(self._climb(self._nothing(self.block)))

    @torch.inference_mode()
    def push(self, sample: np.ndarray) -> np.ndarray:
        """Probabilities (k, C) of the k = 0 or more frames that follow those already said; `sample` holds `columns`,
        NaN where missing."""
        if self.causal:
            return self._at_once(sample)
        self.waiting.append(np.asarray(sample, np.float32))
        self.frames += 1
        said = next(self.work, None)
        if len(self.waiting) == self.block:
            rest = [x for x in self.work if x is not None]
            assert not rest, "a block takes more steps than it has frames"
            self.work, self.waiting = self._climb(np.stack(self.waiting)), []
        return self._nobody() if said is None else said

    @torch.inference_mode()
    def finish(self) -> np.ndarray:
        """Probabilities (k, C) of the frames not yet said, of which the last is the session's last."""
        if self.causal:
            return self._nobody()
        said = [x for x in self.work if x is not None]
        rest = np.array(self.waiting, np.float32).reshape(-1, len(self.columns))
        blocks = -(-len(rest) // self.block) + self.above
        follow = np.concatenate([rest, self._nothing(blocks * self.block - len(rest))])
        for block in follow.reshape(blocks, self.block, len(self.columns)):
            said += [x for x in self._climb(block, self.frames) if x is not None]
        return np.concatenate([self._nobody(), *said])

    def _at_once(self, sample: np.ndarray) -> np.ndarray:
        """Probabilities (1, C) of the frame of this sample."""
        self.around[:-1], self.around[-1] = self.around[1:], sample
        crop = self._crop(self.around)
        imu, pose = (f(crop, self.recipe)[:, -1:] for f in (imu_features, pose_features))
        there = crop.there[:, -1:]
        return self._speak(self.mlp(self.network(imu, pose, there)).numpy()[None], there[0].numpy())

    def _climb(self, samples: np.ndarray, end: int | None = None) -> Iterator[np.ndarray | None]:
        """Takes a block of samples up as far as the floors know what lies around it; the session ends at `end`."""
        network = self.network
        self.signals.append(samples)
        if len(self.signals) < self.signals.maxlen:
            return
        crop, middle = self._crop(np.concatenate(self.signals)), self._middle(self.signals)
        imu = network.imu_adapter.scale(imu_features(crop, self.recipe)[:, middle])
        yield None
        pose = network.pose_adapter.scale(pose_features(crop, self.recipe)[:, middle])
        yield None
        self.features.append((imu, pose, crop.there[:, middle]))
        if len(self.features) < self.features.maxlen:
            return
        *scaled, there = (torch.cat(x, 1) for x in zip(*self.features, strict=True))
        middle, latents = self._middle(self.features), []
        for m, x in enumerate(scaled):
            latents.append(network.encoded(m, x, there)[:, middle])
            yield None
        shifted = network.shifted(tuple(x[:, middle] for x in scaled), there[:, middle])
        self.encoded.append((*latents, *shifted, there[:, middle]))
        if len(self.encoded) < self.encoded.maxlen:
            return
        z_imu, z_pose, imu, pose, there = (torch.cat(x, 1) for x in zip(*self.encoded, strict=True))
        middle = self._middle(self.encoded)
        fused = network.fusion(z_imu, z_pose, there)[0]
        made = [x[0, middle] for x in (z_imu, z_pose, fused, imu, pose, there)]
        self.read = [torch.cat(pair) for pair in zip(self.read, made, strict=True)] if self.read else made
        yield None
        yield from self._say(end)

    def _say(self, end: int | None) -> Iterator[np.ndarray | None]:
        """Probabilities (k, C) of the frames around which all that counts has been read."""
        mlp = self.mlp
        *latents, imu, pose, there = self.read
        known = self.first + len(there)
        stop = known - mlp.reach if end is None or known < end else end
        if stop <= self.said:
            return
        last = None if end is None else end - self.first
        part = Part(tuple(z[:last] for z in latents), (imu[:last], pose[:last]), there[:last])
        here = slice(self.said - self.first, stop - self.first)
        said = []
        for m, pair in enumerate(part.read):
            said.append(mlp.said(m, *pair, here.start, here.stop))
            yield None
        self.said = stop
        grid = max(self.block, mlp.step)
        done = max(self.said - mlp.reach - self.first, 0) // grid * grid
        self.first, self.read = self.first + done, [x[done:] for x in self.read]
        yield self._speak(np.stack(said, 1), there[here].numpy())

    def _speak(self, said: np.ndarray, there: np.ndarray) -> np.ndarray:
        """Probabilities (n, C) of the heads' (n, M, C), where modalities are there (n, 2)."""
        return self.classifier.decision.probability(said, heads_there(there, self.taught, self.recipe.modalities))

    def _middle(self, floor: deque) -> slice:
        """The frames of the block that a floor works on, of all that it keeps."""
        before = floor.maxlen // 2
        return slice(before * self.block, (before + 1) * self.block)

    def _nothing(self, frames: int) -> np.ndarray:
        return np.full((frames, len(self.columns)), np.nan, np.float32)

    def _nobody(self) -> np.ndarray:
        return np.zeros((0, len(self.classifier.model.behaviours)))

    def _crop(self, samples: np.ndarray) -> Crop:
        """The samples (T, columns) as `session_crop` gives them."""
        recipe = self.recipe
        widths = (len(IMU_CHANNELS), len(recipe.band_names), 3 * len(recipe.keypoints), 3 * len(ENDS) * recipe.others,
                  len(recipe.ready_imu_names), len(recipe.ready_pose_names))
        imu, bands, pose, other, ready_imu, ready_pose = torch.from_numpy(samples)[None].split(widths, 2)
        pose, other = (x.unflatten(2, (-1, 3)) if x.shape[2] else x[..., None].expand(-1, -1, -1, 3)
                       for x in (pose, other))
        return Crop(imu, bands, pose, other, ready_imu, ready_pose, is_there(imu, pose, ready_imu, ready_pose, recipe),
                    torch.tensor([self.body_length_px]))
