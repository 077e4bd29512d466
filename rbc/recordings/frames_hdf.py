"""pandas tables in HDF5 files, as DeepLabCut writes them, read without running anything that is pickled in them.

PyTables keeps the column names of a table pickled in attributes; here a pickle may only hold plain lists, tuples,
strings and numbers. N rows, C columns.
"""

import io
import pickle
import re
from pathlib import Path

import h5py
import numpy as np

from rbc.recordings.errors import RecordingError

KEY = "df_with_missing"  # DeepLabCut's name for the table
LARGEST_RATIO = 1000  # a file that claims more than this times its own size is damaged
FAULTS = (OSError, KeyError, ValueError, TypeError, IndexError, AttributeError, EOFError, RuntimeError, OverflowError,
          MemoryError, ImportError, pickle.UnpicklingError)  # fmt: skip


class Plain(pickle.Unpickler):
    """Loads lists, tuples, dicts, strings and numbers, and nothing that has to be imported."""

    def find_class(self, module: str, name: str):
        raise pickle.UnpicklingError(f"the column names hold a {module}.{name}; needs plain text")


def read_frame(path: Path) -> tuple[list[tuple[str, ...]], np.ndarray, np.ndarray] | None:
    """(names of the columns, index (N,), values (N, C) f8) of the pandas table in a file; None where it holds none.

    Raises RecordingError for damaged files, several tables, columns that are no numbers.
    """
    try:
        with h5py.File(path, "r") as file:
            groups = {name: group for name, group in file.items() if "pandas_type" in group.attrs}
            if not groups:
                return None
            if KEY not in groups and len(groups) > 1:
                raise RecordingError(f"{path}: {len(groups)} tables ({', '.join(groups)}); needs one named {KEY!r}")
            group = groups.get(KEY, next(iter(groups.values())))
            size = path.stat().st_size
            return _frame_table(group, size) if "table" in group else _frame_fixed(group, size)
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such file") from None
    except RecordingError:
        raise
    except FAULTS as fault:
        reason = re.sub(r"\s+", " ", str(fault)).strip()[:200] or type(fault).__name__
        raise RecordingError(f"{path}: cannot be read as a table in an HDF5 file: {reason}") from None


def _frame_table(group: h5py.Group, size: int):
    """What `to_hdf(format='table')` wrote: rows of index and blocks of values, names in attributes."""
    table = group["table"]
    rows = _all(table, size)
    blocks = [name for name in table.dtype.names if name != "index"]
    kinds = [_names(table.attrs[f"{name}_kind"]) for name in blocks]
    values = [np.atleast_2d(rows[name].T).T for name in blocks]
    order = _names(group.attrs["non_index_axes"], axes=True)
    return _ordered(order, kinds, values, rows["index"])


def _frame_fixed(group: h5py.Group, size: int):
    """What `to_hdf()` wrote: an array for each block of values and for the levels of the names."""
    count = int(group.attrs["nblocks"])
    kinds = [_levels(group, f"block{i}_items", size) for i in range(count)]
    values = [_all(group[f"block{i}_values"], size) for i in range(count)]
    index = _all(group["axis1"], size) if "axis1" in group else np.arange(len(values[0]))
    return _ordered(_levels(group, "axis0", size), kinds, values, index)


def _ordered(order: list, kinds: list[list], values: list[np.ndarray], index: np.ndarray):
    """Names, index and values of the blocks with their columns in the table's order."""
    named = [name for kind in kinds for name in kind]
    merged = np.concatenate(values, axis=1) if values else np.zeros((len(index), 0))
    if merged.dtype.kind not in "fiu" or merged.shape != (len(index), len(named)) or len(set(named)) != len(named):
        raise ValueError(f"{len(named)} column names for values of shape {merged.shape} and type {merged.dtype}")
    if sorted(named) != sorted(order):
        raise ValueError("the columns of its blocks are not those of the table")
    place = {name: i for i, name in enumerate(named)}
    return order, np.asarray(index), merged[:, [place[name] for name in order]].astype(np.float64)


def _all(data: h5py.Dataset, size: int) -> np.ndarray:
    if data.size * data.dtype.itemsize > LARGEST_RATIO * size:
        raise ValueError(f"a table of shape {data.shape} in a file of {size} bytes")
    return data[()]


def _names(attribute, axes: bool = False) -> list[tuple[str, ...]]:
    """Column names of a pickled attribute; of the axes it names, the one of the columns."""
    loaded = Plain(io.BytesIO(bytes(attribute)), encoding="utf-8").load()
    named = loaded[0][1] if axes else loaded
    return [tuple(str(part) for part in (name if isinstance(name, tuple) else (name,))) for name in named]


def _levels(group: h5py.Group, name: str, size: int) -> list[tuple[str, ...]]:
    """Names of a MultiIndex kept as levels and the places of each name in them."""
    if f"{name}_nlevels" not in group.attrs:
        return [(_text(value),) for value in _all(group[name], size)]
    parts = []
    for level in range(int(group.attrs[f"{name}_nlevels"])):
        words = [_text(word) for word in _all(group[f"{name}_level{level}"], size)]
        places = group[f"{name}_label{level}" if f"{name}_label{level}" in group else f"{name}_code{level}"]
        parts.append([words[place] for place in _all(places, size)])
    return list(zip(*parts, strict=True))


def _text(value) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
