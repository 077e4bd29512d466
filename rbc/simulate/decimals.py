"""Numbers as decimal text, fast: a simulated data set is tens of millions of them."""

from pathlib import Path

import numpy as np

CHUNK_ROWS = 20_000


def write_rows(path: Path, header: str, columns: np.ndarray, decimals: list[int]) -> None:
    """Write `header` and the (N, M) columns as comma-separated lines, each column with its own decimals."""
    with open(path, "wb") as file:
        file.write(header.encode())
        for first in range(0, len(columns), CHUNK_ROWS):
            file.write(rows(columns[first : first + CHUNK_ROWS], decimals))


def rows(columns: np.ndarray, decimals: list[int]) -> bytes:
    """The (N, M) finite numbers as lines of text, rounded half to even."""
    texts, kept = [], []
    for column, places in zip(columns.T, decimals, strict=True):
        scaled = np.rint(column * 10.0**places).astype(np.int64)
        left = np.abs(scaled)
        count = max(len(str(int(left.max(initial=0)))), places + 1)
        text = np.empty((len(column), count + 3), np.uint8)  # sign, digits, point, separator
        keep = np.ones(text.shape, bool)
        text[:, 0], keep[:, 0] = ord("-"), scaled < 0
        at = count + 1
        for digit in range(count):
            if digit == places:
                text[:, at], keep[:, at] = ord("."), places > 0
                at -= 1
            text[:, at] = left % 10 + ord("0")
            if digit > places:  # leading zeros
                keep[:, at] = left > 0
            left //= 10
            at -= 1
        text[:, -1] = ord(",")
        texts.append(text)
        kept.append(keep)
    texts[-1][:, -1] = ord("\n")
    return np.concatenate(texts, axis=1)[np.concatenate(kept, axis=1)].tobytes()
