from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rbc.learning.crops import Corpus, LabelSampler, SetupSampler, spread, warped
from rbc.scoring.splits import Ledger

RNG = np.random.default_rng(0)
ROLES = {"F1D1": "train", "F1D2": "train", "M1D1": "train"}


def corpus(lengths=(300, 200, 90), setups=("one", "one", "two"), labels=None) -> Corpus:
    sessions = {n: tiny.session(n, t, seed=i, setup=s)
                for i, (n, t, s) in enumerate(zip(ROLES, lengths, setups, strict=True))}
    tracks = {n: s.labels for n, s in sessions.items()} if labels is None else labels
    return Corpus(sessions, tiny.RECIPE, Ledger(), ROLES, tracks)


def test_a_batch_is_what_the_sessions_hold():
    made = corpus()
    crop = made.batch([("F1D2", 30), ("M1D1", 0)], 64)
    assert crop.imu.shape == (2, 64, 6)
    valid = made.sessions["F1D2"].valid[30:94, 0]
    np.testing.assert_array_equal(crop.imu[0, valid], made.sessions["F1D2"].imu[30:94][valid])
    np.testing.assert_array_equal(made.labels_of([("F1D2", 30)], 64)[0], made.labels["F1D2"][30:94])
    assert crop.imu[0, ~valid].isnan().all()


def test_the_ledger_records_exactly_what_was_served():
    made = corpus()
    made.batch([("F1D1", 10), ("F1D1", 40)], 64)
    made.batch([("M1D1", 50)], 64)  # 24 frames lie beyond the end
    made.batch([("F1D2", 0)], 100, warp=1.1)
    made.labels_of([("F1D1", 100)], 64, warp=0.5)
    made.labels_of([("F1D1", 290)], 64)
    assert made.ledger.intervals() == {
        ("F1D1", "labels", "train"): [(100, 132), (290, 300)], ("F1D1", "signals", "train"): [(10, 104)],
        ("F1D2", "signals", "train"): [(0, 110)], ("M1D1", "signals", "train"): [(50, 90)]}


def test_what_lies_beyond_an_end_is_missing_and_not_scored():
    made = corpus()
    crop, labels = made.batch([("M1D1", 50)], 64), made.labels_of([("M1D1", 50)], 64)
    assert not crop.there[0, 40:].any() and crop.pose[0, 40:].isnan().all()
    assert (labels[0, 40:] == -1).all() and (labels[0, :40] >= 0).all()


def test_a_warp_of_one_is_the_crop_itself():
    made = corpus()
    crop = made.batch([("F1D1", 80)], 64)
    for name, value in vars(made.batch([("F1D1", 80)], 64, warp=1.0)).items():
        torch.testing.assert_close(value, getattr(crop, name), equal_nan=True, rtol=0, atol=0)
    again = warped(crop, 64)
    known = ~again.imu.isnan()
    torch.testing.assert_close(again.imu[known], crop.imu[known], atol=1e-3, rtol=0)
    assert torch.equal(again.there, crop.there)


@pytest.mark.parametrize("warp", [0.8, 1.25])
def test_a_warped_ramp_is_a_ramp_of_another_slope(warp):
    made = corpus()
    session = made.sessions["F1D1"]
    ramp = np.arange(300, dtype="f4")[:, None]
    made.sessions["F1D1"] = replace(session, imu=np.tile(ramp, 6), valid=np.ones((300, 2), bool))
    made.labels["F1D1"] = np.repeat((ramp >= 60).astype("i1"), 3, 1)
    crop, labels = made.batch([("F1D1", 20)], 64, warp), made.labels_of([("F1D1", 20)], 64, warp)
    span = round(64 * warp)
    np.testing.assert_allclose(crop.imu[0, :, 0], 20 + np.linspace(0, span - 1, 64), atol=1e-3)
    inside = np.abs(crop.imu[0, :, 0].numpy() - 60) > 1
    np.testing.assert_array_equal(labels[0, inside, 0], crop.imu[0, inside, 0] >= 60)
    assert crop.there.all() and crop.body_length_px.tolist() == [80] and crop.pose.shape == (1, 64, 4, 3)


def test_a_warp_invents_no_values_over_gaps():
    made = corpus()
    crop = made.batch([("F1D1", 60)], 128, 1.2)  # a gap of the IMU lies within
    there = made.sessions["F1D1"].valid[60 : 60 + 154, 0]
    near = np.linspace(0, 153, 128)
    both = there[np.floor(near).astype(int)] & there[np.ceil(near).astype(int)]
    assert crop.imu[0, ~both].isnan().all() and (~both).any()


@settings(deadline=None, derandomize=True, database=None, max_examples=50)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=4), st.integers(1, 9), st.integers(1, 128),
       st.integers(0, 99))
def test_spread_picks_stay_within_the_sessions(lengths, batch, frames, seed):
    length = {f"s{i}": n for i, n in enumerate(lengths)}
    picks = spread(list(length), length, batch, frames, np.random.default_rng(seed))
    assert len(picks) == batch
    assert all(0 <= start <= max(length[name] - frames, 0) for name, start in picks)


def test_spread_picks_of_a_long_session_seldom_overlap():
    picks = spread(["s"], {"s": 10_000}, 10, 200, np.random.default_rng(0))
    starts = sorted(start for _, start in picks)
    assert max(np.diff(starts)) <= 2000 and sum(np.diff(starts) < 200) <= 2


def test_crops_of_a_batch_come_from_one_setup_unless_it_is_too_short():
    made = corpus(lengths=(300, 300, 600))
    sampler, rng = SetupSampler(made, 64), np.random.default_rng(0)
    seen = set()
    for _ in range(30):
        names = {name for name, _ in sampler.draw(8, rng)}
        assert {made.sessions[n].setup for n in names} in ({"one"}, {"two"})
        seen |= names
    assert seen == set(ROLES)
    joined = {frozenset(made.sessions[n].setup for n, _ in sampler.draw(16, rng)) for _ in range(5)}
    assert joined == {frozenset({"one", "two"})}


def test_label_picks_always_hold_something_scored_and_stay_within():
    labels = {"F1D1": np.full((300, 3), -1, "i1"), "M1D1": np.full((90, 3), -1, "i1")}
    labels["F1D1"][:5], labels["F1D1"][290:] = 0, 0
    labels["F1D1"][2:4, 0] = labels["F1D1"][295:, 1] = labels["M1D1"][89, 2] = 1
    made = corpus(labels=labels)
    sampler, rng = LabelSampler(made, 64, balance=0.5), np.random.default_rng(0)
    picks = sampler.draw(200, rng)
    assert {n for n, _ in picks} == {"F1D1", "M1D1"}
    assert all(0 <= start <= made.frames(name) - 64 for name, start in picks)
    assert (made.labels_of(picks, 64) >= 0).flatten(1).any(1).all()


def test_behaviours_are_drawn_against_their_frequency():
    track = np.zeros((6400, 2), "i1")
    track[:5000, 0], track[6000:6020, 1] = 1, 1
    session = tiny.session(frames=6400, labels=track, behaviours=("walk", "jump"), annotators=track[None])

    def share_of_rare(balance: float) -> float:
        made = Corpus({"F1D1": session}, tiny.RECIPE, Ledger(), ROLES, {"F1D1": track})
        picks = LabelSampler(made, 64, balance).draw(400, np.random.default_rng(0))
        return np.mean([(track[s : s + 64, 1] == 1).any() for _, s in picks])

    uniform, even, against = (share_of_rare(b) for b in (0.0, 0.5, 1.0))
    assert uniform < even < against
    rare = 1 - LabelSampler.UNIFORM
    for balance, got in ((0.0, uniform), (1.0, against)):
        weight = np.array([5000.0, 20.0]) ** -balance
        assert got == pytest.approx(rare * weight[1] / weight.sum(), abs=0.08)


def test_labels_without_a_bout_are_served_and_no_label_at_all_is_refused():
    quiet = {"F1D1": np.zeros((300, 3), "i1")}
    assert len(LabelSampler(corpus(labels=quiet), 64, 0.5).draw(5, np.random.default_rng(0))) == 5
    with pytest.raises(ValueError, match="no labelled frame"):
        LabelSampler(corpus(labels={"F1D1": np.full((300, 3), -1, "i1")}), 64, 0.5)
