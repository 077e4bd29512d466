from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbc import rooms
from rbc.scoring import decoder
from rbc.scoring.bouts import find_bouts
from rbc.scoring.decoder import fit_decoder, log_odds, viterbi

gains = st.lists(st.integers(-6, 6), min_size=1, max_size=10).map(lambda g: np.array(g, float))


def worth(track, gain, cost):
    return (gain * track).sum() - cost * np.abs(np.diff(track.astype(int))).sum()


def lasts(track, least):
    bouts = find_bouts(track)
    return not len(bouts) or (bouts[:, 1] - bouts[:, 0]).min() >= least


@settings(max_examples=60, deadline=None)
@given(gains, st.integers(0, 5), st.integers(1, 6))
def test_no_track_is_worth_more(gain, cost, least):
    track = viterbi(gain[:, None], np.array([cost]), np.array([least]))[:, 0]
    assert lasts(track, least)
    every = (np.array(t, bool) for t in product((0, 1), repeat=len(gain)))
    assert worth(track, gain, cost) == max(worth(t, gain, cost) for t in every if lasts(t, least))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.floats(0, 8))
def test_long_tracks_beat_or_match_the_plain_recursion(seed, least, cost):
    gain = np.random.default_rng(seed).normal(size=(500, 3)) * 3
    tracks = viterbi(gain, np.full(3, cost), np.array([1, least, 600]))
    assert not tracks[:, 2].any()
    assert lasts(tracks[:, 1], least)
    on, off = gain[0, 0], 0.0  # the textbook two-state recursion
    for g in gain[1:, 0]:
        on, off = max(on, off - cost) + g, max(off, on - cost)
    assert worth(tracks[:, 0], gain[:, 0], cost) == pytest.approx(max(on, off))
    assert worth(tracks[:, 1], gain[:, 1], cost) <= max(_two_state(gain[:, 1], cost), 0) + 1e-9


def _two_state(gain, cost):
    on, off = gain[0], 0.0
    for g in gain[1:]:
        on, off = max(on, off - cost) + g, max(off, on - cost)
    return max(on, off)


def test_without_cost_and_duration_it_is_the_threshold():
    gain = np.random.default_rng(0).normal(size=(1000, 4))
    np.testing.assert_array_equal(viterbi(gain, np.zeros(4), np.ones(4, int)), gain > 0)


def test_behaviours_are_decoded_each_by_its_own_settings():
    gain = np.random.default_rng(0).normal(size=(300, 6)) * 2
    cost, least = np.array([0, 1, 2, 0, 1, 2.0]), np.array([1, 4, 9, 4, 1, 20])
    together = viterbi(gain, cost, least)
    for c in range(6):
        np.testing.assert_array_equal(together[:, c], viterbi(gain[:, [c]], cost[[c]], least[[c]])[:, 0])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.sampled_from([0.0, 0.3, 1.0]))
def test_pieces_and_rooms_on_disk_do_not_change_a_track(seed, together, noise):
    rng = np.random.default_rng(seed)
    gain = noise * rng.integers(-3, 4, (400, 6)) + np.repeat(rng.integers(-2, 3, (20, 6)), 20, axis=0)
    cost, least = np.array([0, 1, 4, 0, 2, 4.0]), np.array([1, 1, 1, 3, 9, 30])
    whole = viterbi(gain, cost, least)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoder, "TOGETHER", together)
        patch.setattr(decoder, "LOOK_BACK", 7)
        patch.setattr(rooms, "IN_MEMORY", 100)
        np.testing.assert_array_equal(viterbi(gain, cost, least), whole)


def test_a_gap_is_bridged_and_a_flash_is_dropped():
    probability = np.full((100, 1), 0.1)
    probability[20:50] = 0.9
    probability[34:36] = 0.3
    probability[80:82] = 0.9
    evidence = log_odds(probability, np.array([0.5]))
    track = viterbi(evidence, np.array([3.0]), np.array([5]))[:, 0]
    np.testing.assert_array_equal(find_bouts(track), [[20, 50]])


@pytest.mark.parametrize(("gain", "cost", "least"), [(np.nan, 1, 1), (0, -1, 1), (0, 1, 0)])
def test_settings_without_meaning_are_refused(gain, cost, least):
    with pytest.raises(ValueError, match="finite log odds"):
        viterbi(np.full((4, 1), gain, float), np.array([cost]), np.array([least]))


def noisy_session(seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.random((40, 2)) < 0.4, 50, axis=0).astype(np.int8)
    return np.where(labels == 1, 1.0, -1.0) + 2 * rng.normal(size=labels.shape), labels


def test_the_fitted_decoder_mends_noisy_bouts_and_leaves_clean_ones_alone():
    sessions = [noisy_session(s) for s in range(2)]
    cost, least = fit_decoder([g for g, _ in sessions], [y for _, y in sessions])
    assert (cost > 0).all()
    fresh, labels = noisy_session(9)
    decoded = viterbi(fresh, cost, least)
    assert ((decoded == 1) == (labels == 1)).mean() > 0.95 > ((fresh > 0) == (labels == 1)).mean()
    clean = [np.where(y == 1, 3.0, -3.0) for _, y in sessions]
    cost, least = fit_decoder(clean, [y for _, y in sessions])
    assert cost.tolist() == [0, 0] and least.tolist() == [1, 1]


def test_a_rare_behaviour_takes_what_suits_the_others():
    gain, labels = noisy_session(0)
    labels[:, 1] = 0
    cost, least = fit_decoder([gain], [labels])
    assert (cost[1], least[1]) == (cost[0], least[0])
    cost, least = fit_decoder([gain], [np.zeros_like(labels)])
    assert cost.tolist() == [0, 0] and least.tolist() == [1, 1]


def flashes_and_bouts(length):
    """Eight bouts of `length` frames, a flash of evidence of 3 frames after each: a cost of 4 drops the flashes alone,
    a lower one none of them, and so does a least duration of 5 and of 3."""
    one = np.zeros(length + 50, np.int8)
    one[10 : 10 + length] = 1
    labels = np.tile(one, 8)[:, None]
    gain = np.where(labels == 1, 2.0, -4.0)
    gain[np.arange(8)[:, None] * len(one) + length + 30 + np.arange(3)] = 2.0
    return gain, labels


@pytest.mark.parametrize(("length", "wanted"), [(24, 4), (23, 0), (9, 0)])
def test_a_cost_that_takes_over_a_third_of_a_median_bout_to_earn_is_not_chosen(length, wanted):
    gain, labels = flashes_and_bouts(length)
    assert (viterbi(gain, [4.0], [1]) == (labels == 1)).all()  # the best there is, but for bouts that are shorter
    cost, least = fit_decoder([gain], [labels], min_frames=(1,))
    assert (cost.tolist(), least.tolist()) == ([wanted], [1])


@pytest.mark.parametrize(("length", "wanted"), [(15, 5), (14, 1), (9, 1)])
def test_a_least_duration_over_a_third_of_a_median_bout_is_not_chosen(length, wanted):
    gain, labels = flashes_and_bouts(length)
    assert (viterbi(gain, [0.0], [5]) == (labels == 1)).all()
    assert fit_decoder([gain], [labels], switch_costs=(0.0,))[1].tolist() == [wanted]


def test_short_behaviours_are_spared_beside_long_ones():
    pairs = [[x[:470] for x in flashes_and_bouts(length)] for length in (9, 30)]
    cost, _ = fit_decoder(*([np.hstack(x)] for x in zip(*pairs, strict=True)), min_frames=(1,))
    assert cost.tolist() == [0, 4]


def test_a_rare_short_behaviour_is_spared_too():
    (rare, few), (gain, labels) = flashes_and_bouts(9), flashes_and_bouts(30)
    rare, few = (np.resize(x, (len(gain), 1)) for x in (rare, few))
    few[2 * 59 :] = 0  # two bouts left: it takes what suits the others, as far as its own bouts allow
    cost, _ = fit_decoder([np.hstack([rare, gain])], [np.hstack([few, labels])], min_frames=(1,))
    assert cost[1] == 4 and cost[0] <= 1
