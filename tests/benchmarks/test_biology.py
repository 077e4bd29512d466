import numpy as np
import pandas as pd
import pytest

from benchmarks.biology import (
    ACTIVITY,
    ANIMALS,
    FACTORS,
    GROOMING,
    PLANTED,
    USUAL,
    WAYS,
    contrast,
    contrasts,
    markdown,
    shares_of,
    verdict,
)
from benchmarks.biology_page import biology_page
from rbc.simulate.world import WORLDS

RNG = np.random.default_rng(0)


def side(true: float, predicted: float, animals: int = 10) -> pd.DataFrame:
    """Rows of animals around a share of time, and around what is predicted of it."""
    own = RNG.normal(0, 0.02, animals)
    return pd.DataFrame({"true": true + own, "predicted": predicted + own + RNG.normal(0, 0.002, animals)})


def budgets() -> pd.DataFrame:
    shares = {USUAL: (0.1, 0.4), GROOMING: (0.25, 0.4), ACTIVITY: (0.1, 0.2)}
    return pd.concat([
        side(true, true + shift, len(ANIMALS[group].split())).assign(
            group=group, way=way, behaviour=name, animal=ANIMALS[group].split(), session="x")
        for group, both in shares.items() for name, true in zip(("grooming", "anything active"), both)
        for way, shift in zip(WAYS, (0.01, 0.03 * (group == GROOMING)))])  # fmt: skip


def test_a_bias_that_all_animals_share_leaves_the_difference_alone():
    row = contrast(side(0.1, 0.3), side(0.25, 0.45), np.random.default_rng(0))
    assert row["true"] == pytest.approx(0.15, abs=0.02) and row["bias"] == pytest.approx(0, abs=0.004)
    assert row["true_low"] < row["true"] < row["true_high"] and row["bias_low"] < 0 < row["bias_high"]
    assert row["verdict"] == "found" and row["predicted_usual"] == pytest.approx(0.3, abs=0.02)
    assert row["predicted"] == pytest.approx(row["predicted_changed"] - row["predicted_usual"])


@pytest.mark.parametrize("true, predicted, said", [
    (0.15, 0.15, "found"), (0.15, 0.0, "missed"), (0.15, -0.15, "reversed"), (0.0, 0.0, "none"),
    (0.0, 0.15, "spurious"),
])
def test_what_prediction_makes_of_a_difference(true, predicted, said):
    assert contrast(side(0.3, 0.3), side(0.3 + true, 0.3 + predicted), np.random.default_rng(0))["verdict"] == said


def test_what_may_be_chance_is_doubtful():
    row = {f"{what}_{end}": x for what, ends in (("true", (-1, 3)), ("predicted", (1, 4)), ("bias", (-1, 2)))
           for end, x in zip(("low", "high"), ends)} | {"true": 1.0, "predicted": 2.0}  # fmt: skip
    assert verdict(row) == "doubtful"


def test_the_table_says_what_became_of_what_was_planted():
    rows = contrasts(budgets())
    assert len(rows) == 2 * 2 * 2 and rows.planted.sum() == 4 and set(rows.verdict[rows.planted]) == {"found"}
    zero_shot = rows[(rows.group == GROOMING) & (rows.way == "zero-shot") & rows.planted].iloc[0]
    assert zero_shot.bias == pytest.approx(0.03, abs=0.005) and zero_shot.bias_low > 0
    lines = markdown(rows).splitlines()
    assert lines[0].startswith("- grooming × 3, adapted: grooming +1") and "found; the others: 1 none" in lines[0]
    assert len(lines) == 4 + 3 + 4
    page = biology_page(budgets(), rows)
    assert "grooming × 3, minus as usual" in page and "#f56dad" in page


def test_anything_active_is_one_behaviour_or_several():
    present = np.array([[1, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]], bool)
    assert shares_of(present, ("walk", "turn_left", "still")) == {
        "walk": 0.25, "turn_left": 0.5, "still": 0.25, "anything active": 0.5}


def test_groups_are_of_different_animals_alike_in_what_they_wear():
    names = {group: animals.split() for group, animals in ANIMALS.items()}
    assert len({animal for group in names.values() for animal in group}) == sum(map(len, names.values())) == 30
    assert {sum(a in WORLDS["first"].back_animals for a in group) for group in names.values()} == {3}
    assert set(FACTORS) == set(ANIMALS) == {USUAL, *PLANTED}
