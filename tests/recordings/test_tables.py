"""Tables of numbers: read piece by piece they are what they are when read at once."""

import numpy as np
import pytest

from rbc.recordings import tables
from rbc.recordings.errors import RecordingError
from rbc.recordings.tables import read_body, read_numbers

ROWS = [f"{i},{np.sin(i):.7f},{'' if i % 7 else 3}" for i in range(1000)]


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch):
    monkeypatch.setattr(tables, "PIECE_ROWS", 64)


def written(path, rows):
    (path / "table.csv").write_text("\n".join(["frame,a,b", *rows]) + "\n")
    return path / "table.csv"


@pytest.mark.parametrize("line", [ROWS[500], "", ",,", "500,text,1", "500,1e40,1", "name,1,1", "True,1,1"])
def test_pieces_are_the_whole(tmp_path, line):
    path = written(tmp_path, [*ROWS[:500], line, *ROWS[501:]])
    pieces, whole = read_numbers(path, 3, 1), read_body(path, 3, 1)
    assert (pieces.index == whole.index).all()
    for column in range(3):
        assert pieces[column].astype(str).tolist() == whole[column].astype(pieces[column].dtype).astype(str).tolist()


def test_half_the_memory_but_for_the_first_column(tmp_path):
    body = read_numbers(written(tmp_path, [*ROWS, f"{2**24 + 1},1,1e300"]), 3, 1, dtype=np.float32)
    assert [body[c].dtype for c in range(3)] == ["f8", "f4", "f4"]
    assert body[0].iloc[-1] == 2**24 + 1 and body[2].iloc[-1] == np.inf


def test_one_field_too_many_is_named_by_its_line(tmp_path):
    with pytest.raises(RecordingError, match="line 902: 4 fields or more; the header has 3"):
        read_numbers(written(tmp_path, [*ROWS[:900], "1,2,3,4", *ROWS[900:]]), 3, 1)
