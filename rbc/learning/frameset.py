"""What the MLP learns from: frames of many sessions, as its heads read them.

T frames of a session, N of all sessions, M heads, I inputs.
"""

import numpy as np
import torch
from torch import Tensor

from rbc.learning.mlp import Read, WindowMlp, head_inputs


class FrameSet:
    """N frames of sessions for the MLP to learn from: inputs of every head, which heads are there, and their group. They
    may fill half of the memory, so there is room for them once."""

    def __init__(self, windows: tuple[int, ...], frames: int, causal: bool = False):
        self.windows, self.frames, self.causal = windows, frames, causal
        self.inputs: list[Tensor] = []  # (N, I) half of every head
        self.there, self.group, self.filled = torch.empty(0), torch.empty(frames, dtype=torch.int64), 0

    def add(self, read: Read, there: np.ndarray, rows: np.ndarray, group: int) -> None:
        """The frames in rows (n,), increasing, of what each head reads; heads there (T, M)."""
        for start in range(0, len(there), WindowMlp.CHUNK):
            inner = rows[(rows >= start) & (rows < start + WindowMlp.CHUNK)] - start
            if len(inner):
                stop = min(start + WindowMlp.CHUNK, len(there))
                inputs = head_inputs(read, self.windows, start, stop, self.causal)
                self._fill([x[inner] for x in inputs], torch.from_numpy(there[start + inner]), group)

    def _fill(self, inputs: list[Tensor], there: Tensor, group: int) -> None:
        if not self.inputs:
            self.inputs = [torch.empty(self.frames, x.shape[1], dtype=torch.half) for x in inputs]
            self.there = torch.empty(self.frames, there.shape[1], dtype=torch.bool)
        here = slice(self.filled, self.filled + len(there))
        for column, x in zip(self.inputs, inputs, strict=True):
            column[here] = x
        self.there[here], self.group[here], self.filled = there, group, here.stop

    def gather(self) -> tuple[Tensor, ...]:
        """The heads' inputs (N, I) half, there (N, M), group (N,)."""
        return *self.inputs, self.there, self.group
