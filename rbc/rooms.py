"""Arrays longer than memory: a map of a file without a name, filled and read piece by piece.

T frames.
"""

import mmap
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator

import numpy as np

IN_MEMORY = 2**25  # bytes
PIECE = 2**16  # frames


def room(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> np.ndarray:
    """Zeros; a map of a file in the folder of temporary files ($TMPDIR) where they are more than IN_MEMORY.

    Raises OSError where the disk has no room for them.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size <= IN_MEMORY:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile() as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # to write to a map on a full disk would kill the process
            file.truncate(size)
        except OSError as fault:
            place = f"{tempfile.gettempdir()} ($TMPDIR)"
            raise OSError(fault.errno, f"{fault.strerror}; needs {size / 2**20:.0f} MiB for a while", place) from None
        return np.memmap(file, dtype, "r+", shape=shape)


def let_go(*arrays: np.ndarray) -> None:
    """Give back the memory of what was read or written of arrays that are maps; they are read again where needed."""
    for array in arrays:
        if isinstance(array, np.memmap) and isinstance(array._mmap, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            array._mmap.madvise(mmap.MADV_DONTNEED)


def pieces(frames: int, size: int | None = None) -> Iterator[slice]:
    """Slices that cover so many frames in order, of `size` or PIECE frames."""
    size = size or PIECE
    return (slice(start, min(start + size, frames)) for start in range(0, frames, size))


def walk(array: np.ndarray, steps: Iterable[slice]) -> Iterator[np.ndarray]:
    """The array's steps, each let go of when the next is asked for."""
    for step in steps:
        yield array[step]
        let_go(array)


def each(function: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """(T, ...) what the function makes of the arrays (T, ...) frame by frame, worked out piece by piece."""
    made = None
    for piece in pieces(len(arrays[0])):
        part = function(*(x[piece] for x in arrays))
        made = room((len(arrays[0]), *part.shape[1:]), part.dtype) if made is None else made
        made[piece] = part
        let_go(made, *arrays)
    return made if made is not None else function(*arrays)
