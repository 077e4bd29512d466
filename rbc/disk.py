"""Of a full disk: one line that says so, and nothing half-written."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
FULL = 2**20  # bytes; a disk with less space counts as full


class FullDiskError(RuntimeError):
    """There is no space for an output, and nothing of it was written."""


@contextmanager
def or_nothing(new: Path, path: Path, elsewhere: Iterable[Path] = ()) -> Iterator[None]:
    """Removes `new`, which was to become `path`, where the block that writes it ends with an error.

    Raises FullDiskError where that is for want of space: beside `path`, or elsewhere, where the block writes too.
    """
    try:
        yield
        if _free(path.parent) < FULL:  # numpy does not notice when the last bytes of a small array get lost
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except BaseException as error:
        reason = error.__cause__ if isinstance(error, FullDiskError) else error
        free = {place: _free(place) for place in (path.parent, *elsewhere)}
        fullest = min(free, key=free.get)
        said = f"{path}: a disk is full, nothing is written; make space and run again: {reason}"
        if not getattr(reason, "filename", None):
            said += (f"; it needs more than the {_size(new) / 2**20:.1f} MiB so far,"
                     f" {free[fullest] / 2**20:.1f} MiB are free in {fullest}")
        remove(new)
        if _is_full(reason, free[fullest]):
            raise FullDiskError(said) from reason
        raise


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_full(error: BaseException, free: int) -> bool:
    if getattr(error, "errno", None) in NO_SPACE or os.strerror(errno.ENOSPC) in str(error):
        return True
    return isinstance(error, (OSError, RuntimeError)) and free < FULL  # numpy and torch do not say what went wrong


def _free(folder: Path) -> int:
    """Bytes that are free where a folder is or is to be."""
    return shutil.disk_usage(next(place for place in (folder, *folder.absolute().parents) if place.exists())).free


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.lstat().st_size for file in (path, *path.rglob("*")) if file.is_file())
