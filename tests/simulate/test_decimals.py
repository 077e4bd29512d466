import io

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from rbc.simulate.decimals import rows


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.integers(0, 6))
def test_numbers_come_back_to_their_last_decimal(numbers, places):
    text = rows(np.column_stack([numbers, numbers]), [places, 0]).decode()
    back = pd.read_csv(io.StringIO(text), header=None)
    np.testing.assert_allclose(back[0], numbers, atol=0.5001 * 10.0**-places)
    np.testing.assert_array_equal(back[1], np.rint(numbers))


def test_text_is_plain():
    numbers = np.array([[-0.5, 12.0], [0.0004, -7.0], [-0.0004, 123.0]])
    assert rows(numbers, [3, 0]) == b"-0.500,12\n0.000,-7\n0.000,123\n"
