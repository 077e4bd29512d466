"""A causal model a frame at a time: its parts remember what they need of the frames before, and work out the new one.

D latent, F features, X = 3 D + F values of a frame that the MLP reads, M heads (imu, pose, fused), E members, H hidden,
C behaviours, O offsets, A heads of attention.
"""

import copy
from collections import deque
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from rbc.learning.mlp import WindowMlp, step_of
from rbc.network.encoder import ConvEncoder
from rbc.network.fusion import AlignmentHead, CrossAttention
from rbc.network.network import Network


def stacked(linears: Iterable[nn.Linear]) -> tuple[Tensor, Tensor]:
    """Bias (2, 1, out) and weight (2, in, out) of the linear maps of two modalities, for one product."""
    return tuple(torch.stack(x) for x in zip(*((each.bias[None], each.weight.T) for each in linears), strict=True))


def product(maps: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
    """What the `stacked` maps make of x (2, 1, in)."""
    return torch.baddbmm(maps[0], x, maps[1])


class SteppedEncoders:
    """The ConvEncoders of both modalities of one frame (2, 1, D) after the other; in front of the first lie zeros, as
    where nothing was measured."""

    def __init__(self, encoders: Sequence[ConvEncoder], d_model: int):
        self.layers, x = [], torch.zeros(2, 1, d_model)
        for blocks in zip(*(encoder.blocks for encoder in encoders), strict=True):
            for block in blocks:  # what the norm scales and shifts goes into the product
                block.taps.bias += block.taps.weight @ block.norm.bias.repeat(3)
                block.taps.weight *= block.norm.weight.repeat(3)
            reach = 2 * blocks[0].dilation
            past = deque([nnf.layer_norm(x, (d_model,))] * (reach + 1), maxlen=reach + 1)
            self.layers.append((past, stacked(b.taps for b in blocks), stacked(b.mix for b in blocks)))
            x = self._block(x, *self.layers[-1])
        self.scale, self.shift = (torch.stack([x[None] for x in norm]) for norm in
                                  zip(*((e.norm.weight, e.norm.bias) for e in encoders), strict=True))

    def __call__(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self._block(x, *layer)
        return torch.addcmul(self.shift, nnf.layer_norm(x, x.shape[2:]), self.scale)

    def _block(self, x: Tensor, past: deque, taps: tuple[Tensor, Tensor], mix: tuple[Tensor, Tensor]) -> Tensor:
        past.append(nnf.layer_norm(x, x.shape[2:]))
        seen = torch.cat([past[0], past[len(past) // 2], past[-1]], 2)  # (2, 1, 3 D)
        return x + product(mix, nnf.gelu(product(taps, seen)))


class SteppedHead:
    """An AlignmentHead of one frame (1, D) after the other: at each one the state of its segment and, in whose last
    frames it burns in, that of the next one. In front of the first frame lies what `before` (1, D) repeats."""

    def __init__(self, head: AlignmentHead, before: Tensor):
        self.head, self.frame, self.nothing = head, 0, torch.zeros_like(before)
        _, coming = head.gru(before.expand(head.BURN_IN, -1))
        self.states = coming.repeat(2, 1)  # (2, D): of this segment and of the next one

    def __call__(self, z: Tensor) -> Tensor:
        head, place = self.head, self.frame % self.head.SEGMENT
        if place == 0:
            self.states = self.states[1:].expand(2, -1)
        if place == head.SEGMENT - head.BURN_IN:
            self.states = torch.cat([self.states[:1], self.nothing])
        self.states = torch.gru_cell(z.expand(2, -1), self.states, *head.gru.all_weights[0])
        self.frame += 1
        return head.norm(head.out(torch.cat([self.states[:1], z], 1)))


class SteppedAttention:
    """The CrossAttentions of both modalities of one frame (2, 1, D) after the other; in front of the first, nobody
    answers."""

    def __init__(self, asks: Sequence[CrossAttention], d_model: int):
        self.nhead, self.offsets = asks[0].nhead, asks[0].offsets
        self.query, self.out, self.gate = (stacked(getattr(a, name) for a in asks) for name in ("query", "out", "gate"))
        self.answer = tuple(torch.cat(x, 2) for x in zip(stacked(a.key for a in asks), stacked(a.value for a in asks),
                                                         strict=True))
        self.place = torch.stack([a.place[:, None] for a in asks])  # (2, A, 1, O)
        nothing = torch.zeros(2, 1, 2 * d_model), torch.zeros(2, 1, 1)
        self.past = deque([nothing] * (1 - min(self.offsets)), maxlen=1 - min(self.offsets))

    def __call__(self, z: Tensor, other: Tensor, there: Tensor) -> Tensor:
        """z plus a gated residual from `other` (2, 1, D) where `there` (2, 1, 1) is not 0."""
        self.past.append((product(self.answer, other), there))
        answers, there = (torch.cat(x, 1) for x in zip(*(self.past[o - 1] for o in self.offsets), strict=True))
        keys, values = answers.unflatten(2, (2, self.nhead, -1)).transpose(1, 3).unbind(2)  # (2, A, O, D / A)
        query = product(self.query, z).unflatten(2, (self.nhead, -1)).transpose(1, 2)  # (2, A, 1, D / A)
        score = query @ keys.transpose(2, 3) / query.shape[3] ** 0.5 + self.place  # (2, A, 1, O)
        there = there.transpose(1, 2)[:, None]
        weight = torch.softmax(score.masked_fill(there == 0, -1e4), 3) * there
        answer = product(self.out, (weight @ values).reshape(z.shape))
        return z + torch.sigmoid(product(self.gate, torch.cat([z, answer], 2))) * answer


class SteppedNetwork:
    """A causal network of one frame after the other."""

    @torch.inference_mode()
    def __init__(self, network: Network):
        network = copy.deepcopy(network).cpu().eval()
        d_model = network.imu_adapter.d_model
        self.adapters, self.fusion = network.adapters, network.fusion
        self.encoders = SteppedEncoders((network.imu_encoder, network.pose_encoder), d_model)
        seen = self.encoders(torch.zeros(2, 1, d_model))
        self.foresee = [SteppedHead(head, before) for head, before in
                        zip((self.fusion.to_imu, self.fusion.to_pose), seen.flip(0), strict=True)]
        self.attention = SteppedAttention((self.fusion.imu_asks, self.fusion.pose_asks), d_model)

    def __call__(self, imu: Tensor, pose: Tensor, there: Tensor) -> Tensor:
        """What the MLP reads of the next frame (X,), of its features (1, 1, F) and where they are there (1, 1, 2)."""
        scaled = [adapter.scale(x) for adapter, x in zip(self.adapters, (imu, pose), strict=True)]
        mapped = [adapter(x) for adapter, x in zip(self.adapters, scaled, strict=True)]
        valid = there[0].T[..., None]  # (2, 1, 1)
        z = self.encoders(torch.cat(mapped) * valid)
        known = (torch.where(v, x[0].nan_to_num(0.0), 0.0) for v, x in zip(valid, scaled, strict=True))
        return torch.cat([*z, self._fused(z, valid), *known], 1)[0]

    def _fused(self, z: Tensor, valid: Tensor) -> Tensor:
        """The latent (1, D) that Fusion makes of both modalities' (2, 1, D), which are there or not (2, 1, 1)."""
        there, others = valid.to(z.dtype), z.flip(0)
        foreseen = torch.stack([foresee(x) for foresee, x in zip(self.foresee, others, strict=True)])
        full = torch.where(valid, z, foreseen * there.flip(0))
        full = self.attention(full, others, there.flip(0))
        weight = self.fusion.weigh(torch.cat([*full, *there], 1)).reshape(z.shape)
        weight = torch.softmax(weight + (there - 1) * 4, 0)
        return self.fusion.norm((weight * full).sum(0))


class SteppedMlp:
    """A causal WindowMlp of one frame after the other. What its first layers make of a window's statistics is held
    until the window's next place, so that most frames read a small part of the weights; heads share the statistics."""

    @torch.inference_mode()
    def __init__(self, mlp: WindowMlp):
        mlp = copy.deepcopy(mlp).cpu().eval()
        latent, features = mlp.d_model, mlp.features
        frame = torch.arange(3 * latent + sum(features)).split([latent] * 3 + list(features))
        self.reads = [torch.cat(x) for x in ((frame[0], frame[3]), (frame[1], frame[4]), (frame[2], *frame[3:]))]
        self.latents, width = 3 * latent, 3 * latent + sum(features)
        own, *wide = zip(*(head[0].weight.split(mlp.parts(m), 1) for m, head in enumerate(mlp.heads)), strict=True)
        self.own = [weight.contiguous() for weight in own]
        self.windows = [(n, step_of(n), [weight.contiguous() for weight in weights])
                        for n, weights in zip(mlp.windows, wide, strict=True)]
        self.statistics = [torch.cat([read, width + read, 2 * width + z])
                           for read, z in zip(self.reads, frame[:3], strict=True)]  # mean, deviation, maximum
        self.bias = torch.stack([head[0].bias for head in mlp.heads])  # (M, E H)
        self.held = torch.zeros(len(self.windows), *self.bias.shape)
        self.out_weight, self.out_bias = (torch.cat([getattr(head[-1], x) for head in mlp.heads])
                                          for x in ("weight", "bias"))  # (M E, H, C), (M E, 1, C)
        self.length = max(mlp.windows, default=1)
        self.past = torch.zeros(2 * self.length, width)  # every frame twice, so that a window is one piece
        self.frame = 0

    def __call__(self, row: Tensor) -> Tensor:
        """(M, C) probabilities of the next frame, of the latents and features (X,)."""
        self._remember(row)
        hidden = self.bias + self.held.sum(0)
        for m, (weight, read) in enumerate(zip(self.own, self.reads, strict=True)):
            hidden[m].addmv_(weight, row[read])
        members = nnf.gelu(hidden).reshape(len(self.out_weight), 1, -1)
        said = torch.sigmoid(torch.baddbmm(self.out_bias, members, self.out_weight))
        return said.unflatten(0, (len(self.own), -1)).mean((1, 2))

    def _remember(self, row: Tensor) -> None:
        place = self.frame % self.length
        if self.frame == 0:
            self.past[:] = row
        self.past[place] = self.past[place + self.length] = row
        end = place + self.length + 1
        for held, (window, step, weights) in zip(self.held, self.windows, strict=True):
            if self.frame % step == 0:
                around = self.past[end - window : end]
                mean = around.mean(0)
                deviation = (around - mean).square_().mean(0).sqrt_()  # std_mean takes four times as long
                statistics = torch.cat([mean, deviation, around[:, : self.latents].amax(0)])
                for m, (weight, read) in enumerate(zip(weights, self.statistics, strict=True)):
                    torch.mv(weight, statistics[read], out=held[m])
        self.frame += 1
