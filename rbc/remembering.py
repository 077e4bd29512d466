"""A causal network a frame at a time: its parts remember what they need of the frames before.

T frames that are kept, D latent.
"""

import copy
from collections import deque

import torch
from torch import Tensor, nn

from rbc.network.fusion import AlignmentHead
from rbc.network.network import Network


class LookingBack(nn.Module):
    """A part that reads `reach` frames before the one that it is asked for, of one frame (1, 1, D) after the other."""

    def __init__(self, part: nn.Module, reach: int, d_model: int):
        super().__init__()
        self.part, self.past = part, deque(torch.zeros(reach + 1, 1, 1, d_model).unbind(), maxlen=reach + 1)

    def forward(self, x: Tensor) -> Tensor:
        self.past.append(x)
        return self.part(torch.cat(tuple(self.past), 1))[:, -1:]


class SteppedHead(nn.Module):
    """An AlignmentHead of the last of frames (1, T, D), frame after frame: at each one the state of its segment, in
    whose last frames that of the next one burns in. Before the first frame lies what `before` (1, 1, D) repeats."""

    def __init__(self, head: AlignmentHead, before: Tensor):
        super().__init__()
        self.head, self.frame = head, 0
        self.state = self.nothing = torch.zeros_like(before)
        _, self.coming = head.gru(before.expand(-1, head.BURN_IN, -1), self.nothing)

    def forward(self, z: Tensor) -> Tensor:
        head, now, place = self.head, z[:, -1:], self.frame % self.head.SEGMENT
        if place == 0:
            self.state = self.coming
        if place == head.SEGMENT - head.BURN_IN:
            self.coming = self.nothing
        out, self.state = head.gru(now, self.state)
        if place >= head.SEGMENT - head.BURN_IN:
            _, self.coming = head.gru(now, self.coming)
        self.frame += 1
        return head.norm(head.out(torch.cat([out, now], -1))).expand_as(z)


@torch.inference_mode()
def remembering(network: Network) -> Network:
    """A copy of a causal network that stands before a session's first frame. `encoded` then takes frame after frame
    (1, 1, F), `fusion` the last frames (1, T, D), as many as attention looks back, of which only the last is right."""
    made = copy.deepcopy(network).eval()
    nothing, seen = torch.zeros(1, 1, made.imu_adapter.d_model), []
    for encoder in (made.imu_encoder, made.pose_encoder):
        encoder.blocks = nn.ModuleList(LookingBack(b, 2 * b.dilation, nothing.shape[2]) for b in encoder.blocks)
        seen.append([encoder(nothing) for _ in range(encoder.context + 1)][-1])
    made.fusion.to_pose, made.fusion.to_imu = map(SteppedHead, (made.fusion.to_pose, made.fusion.to_imu), seen)
    return made
