import numpy as np
import pytest

from rbc.simulate.behaviour import draw_bouts, draw_habits
from rbc.simulate.chance import inside, stream
from rbc.simulate.world import BEHAVIOURS, SIZES, UNLISTED, WORLDS

WORLD = WORLDS["first"]
SHARES = {  # of the time, over many animals
    "still": (0.28, 0.50), "local_search": (0.18, 0.30), "walk": (0.09, 0.20), "grooming": (0.05, 0.15),
    "rearing": (0.03, 0.09), "scratch": (0.003, 0.016), "jump": (0.001, 0.01), "eating": (0.03, 0.12),
}


@pytest.fixture(scope="module")
def tracks():
    time = np.arange(0, 600, 0.05)
    out = []
    for animal in range(16):
        rng = stream(animal, "test")
        habits = draw_habits(WORLD, rng, rng)
        bouts, _ = draw_bouts(WORLD, SIZES["default"], habits, 0.3, 0.0, 600.0, rng)
        out.append({name: inside([b for b in bouts if b.behaviour == name], time) for name in (*BEHAVIOURS, *UNLISTED)})
    return {name: np.concatenate([one[name] for one in out]) for name in out[0]}


@pytest.mark.parametrize("name", SHARES)
def test_shares_are_those_of_a_rat(tracks, name):
    assert SHARES[name][0] < tracks[name].mean() < SHARES[name][1]


def test_a_planted_factor_changes_what_it_names_and_draws_nothing_anew():
    usual, same, more = (draw_habits(WORLD, stream(0, "a"), stream(0, "d"), *factors)
                         for factors in ((), ({},), ({"grooming": 3.0},)))
    assert usual == same
    assert more.budget == usual.budget | {"grooming": 3 * usual.budget["grooming"]}
    spent = [sum(b.length for b in draw_bouts(WORLD, SIZES["default"], habits, 0.3, 0.0, 3600.0, stream(0, "b"))[0]
                 if b.behaviour == "grooming") for habits in (usual, more)]
    assert spent[1] > 1.5 * spent[0]


def test_background_has_its_share(tracks):
    assert 0.05 < 1 - np.any([tracks[name] for name in BEHAVIOURS], axis=0).mean() < 0.15


def test_overlaps_follow_anatomy(tracks):
    assert not (tracks["walk"] & tracks["still"]).any() and not (tracks["grooming"] & tracks["walk"]).any()
    assert (tracks["local_search"] & tracks["rearing"]).sum() > 0.15 * tracks["rearing"].sum()
    assert (tracks["aiming"] & tracks["still"]).sum() > 0.2 * tracks["aiming"].sum()
    turning = tracks["turn_left"] | tracks["turn_right"]
    assert (turning & tracks["walk"]).sum() > 0.25 * turning.sum()


def test_the_rat_stays_in_the_arena():
    rng = stream(3, "arena")
    bouts, (x, y, _) = draw_bouts(WORLD, SIZES["default"], draw_habits(WORLD, rng, rng), 0.3, 0.0, 900.0, rng)
    path = np.array([x, y]) + np.cumsum([b.shift for b in bouts], axis=0)
    assert np.abs(path).max() < 0.3
