import numpy as np

from rbc.recordings import lags
from rbc.recordings.lags import Moves, Noise
from rbc.recordings.turning import Turning


def test_whitener_of_an_autoregressive_noise_is_its_own_recursion():
    rng = np.random.default_rng(0)
    noise = np.zeros(50_000)
    for i, shock in enumerate(rng.normal(size=len(noise) - 1), 1):
        noise[i] = 0.6 * noise[i - 1] + shock
    noise[1000:1200] = np.nan
    assert np.allclose(lags.whitener(noise, 3), [1.0, -0.6, 0.0, 0.0], atol=0.03)


def test_apply_filter_needs_all_its_past():
    out = lags.apply_filter(np.array([1.0, -1.0]), np.array([1.0, 3.0, np.nan, 4.0, 9.0]))
    assert np.array_equal(out, [np.nan, 2.0, np.nan, np.nan, 5.0], equal_nan=True)


def test_parts_say_what_the_whole_says(monkeypatch):
    rng = np.random.default_rng(0)
    time, imu_s = np.arange(900) / 30, np.arange(-200, 3300) / 100
    angle = rng.normal(size=900)
    angle[300:310] = np.nan
    pair, noise = Turning(time, angle, imu_s, np.cumsum(rng.normal(size=3500))), Noise(rng.normal(size=6), 0.3, 0.9)
    lag_s = 0.1 * np.sin(time)
    tables, gained = [], []
    for chunk in (lags.CHUNK, 100):
        monkeypatch.setattr(lags, "CHUNK", chunk)
        tables.append(lags.evidence(pair, lag_s, np.linspace(-0.5, 0.5, 11), noise, 7))
        parts = lags.parts(pair, slice(150, 750), noise.taps)
        gained.append(np.concatenate([lags.frame_evidence(part, lag_s[part.frames], noise) for part in parts]))
    assert np.array_equal(*tables) and tables[0].shape == (129, 11)
    assert np.array_equal(*gained) and np.count_nonzero(gained[0]) == 600 - 16


def two_segments(up: float, down: float, first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    table = np.zeros((40, 21))
    table[:18, first] = table[22:, second] = 3.0  # four blocks in between say nothing
    moves = Moves(1e-4, up, down, 5.0)
    return lags.best_path(table, moves)[0], lags.posterior(table, moves)[0]


def test_best_path_and_posterior_see_a_step_and_doubt_its_place():
    path, chance = two_segments(1e-3, 1e-9, 5, 12)
    assert (path[:18] == 5).all() and (path[22:] == 12).all()
    assert np.allclose(chance.sum(1), 1)
    assert chance[10, 5] > 0.99 and chance[30, 12] > 0.99 and 0.2 < chance[20, 5] < 0.8


def test_a_step_may_be_allowed_in_one_direction_only():
    _, likely = two_segments(1e-3, 1e-30, 5, 12)
    table = np.zeros((6, 21))
    table[:3, 12] = table[3:, 5] = 10.0
    assert likely[30, 12] > 0.99
    assert len(set(lags.best_path(table, Moves(1e-9, 1e-3, 1e-30, 5.0))[0])) == 1


def test_posterior_total_is_the_probability_of_the_evidence():
    table = np.log(np.random.default_rng(1).uniform(0.5, 1, (3, 2)))
    moves = Moves(0.1, 0.0, 0.0, 5.0)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weights = [moves.stay if x == y else moves.creep for x, y in ((a, b), (b, c))]
                total += 0.5 * np.prod(weights) * np.exp(table[0, a] + table[1, b] + table[2, c])
    assert np.isclose(lags.posterior(table, moves)[1], np.log(total))


def test_sheared_reads_each_block_at_another_lag():
    table = np.arange(10.0)[None].repeat(3, axis=0)
    assert np.allclose(lags.sheared(table, np.array([0.0, 1.5, -2.0]))[:, 4], [4.0, 5.5, 2.0])
