import numpy as np

from rbc.scoring.out_of_fold import read_out_of_fold, write_out_of_fold

LABELS = np.array([[1, 0], [0, -1], [1, 1]], np.int8)
THERE = np.array([[1, 1, 1], [0, 1, 1], [1, 0, 1]], bool)
HEADS = np.random.default_rng(0).random((3, 3, 2)).astype("f4")


def test_what_is_written_is_read_by_method_and_a_method_of_one_head_is_always_there(tmp_path):
    assert read_out_of_fold(tmp_path / "none") == {}
    write_out_of_fold(tmp_path / "out_of_fold" / "F1D1.npz", LABELS, rbc=HEADS, there=THERE)
    write_out_of_fold(tmp_path / "out_of_fold" / "F2D1.npz", LABELS, forest=HEADS[:, 0], chance=HEADS[:, 1])
    found = read_out_of_fold(tmp_path / "out_of_fold")
    assert {method: list(known) for method, known in found.items()} == {
        "rbc": ["F1D1"], "forest": ["F2D1"], "chance": ["F2D1"]}
    (probability, there), labels = found["rbc"]["F1D1"]
    np.testing.assert_array_equal(probability, HEADS)
    np.testing.assert_array_equal(there, THERE)
    np.testing.assert_array_equal(labels, LABELS)
    (probability, there), _ = found["chance"]["F2D1"]
    np.testing.assert_array_equal(probability[:, 0], HEADS[:, 1])
    assert there.shape == (3, 1) and there.all()
