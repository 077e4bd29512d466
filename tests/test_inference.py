from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tiny
import torch
from tiny import EVERY_ENCODER

from rbc import inference
from rbc.inference import (
    adapt,
    encode,
    feature_range,
    fit_class_map,
    halo,
    heads_there,
    scaled_features,
    share_outside,
)
from rbc.network.adapter import NO_SHIFT
from rbc.rooms import pieces
from rbc.signals import Recipe


def arrays(encoded) -> list[np.ndarray]:
    return [encoded.latents, encoded.probability, encoded.there, *encoded.features]


@pytest.fixture
def chunks(monkeypatch):
    """Sets how sessions are cut."""
    return partial(monkeypatch.setattr, inference, "CHUNK")


def assert_same(one, other, atol=1e-4):
    for a, b in zip(arrays(one), arrays(other), strict=True):
        np.testing.assert_allclose(a, b, atol=atol, rtol=0)


@pytest.mark.parametrize("kind", EVERY_ENCODER)
def test_chunks_do_not_change_what_is_said(kind, chunks):
    model, session = tiny.model(encoder=kind, blocks=3), tiny.session(frames=700)
    chunks(1024)
    whole = encode(model.network, session, model.recipe)
    assert whole.latents.shape == (3, 700, 8) and whole.probability.shape == (700, 3, 3)
    assert whole.there.shape == (700, 3)
    for frames in (64, 100, 128, 320):
        chunks(frames)
        assert_same(encode(model.network, session, model.recipe), whole)


def test_an_imu_that_nobody_taught_speaks_where_pose_does_not():
    there = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool)
    np.testing.assert_array_equal(heads_there(there), [[1, 1, 1], [1, 0, 1], [0, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(heads_there(there, taught=False), [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]])
    alone = there & [True, False]  # of a session without pose
    np.testing.assert_array_equal(heads_there(alone, taught=False), heads_there(alone))


@pytest.mark.parametrize("kind", EVERY_ENCODER)
def test_the_halo_holds_all_that_decides_a_frame(kind, chunks):
    model, session, chunk = tiny.model(encoder=kind, blocks=3), tiny.session(frames=900, gaps=False), 1024
    chunks(chunk)
    margin = halo(model.network, model.recipe)
    assert margin % model.network.GRID == 0
    before = encode(model.network, session, model.recipe)
    for t in (447, 448, 470):
        imu, pose = np.array(session.imu), np.array(session.pose)
        imu[t] += 5
        pose[t, :, :2] += 30
        imu[t + 1] = pose[t + 1] = np.nan
        after = encode(model.network, replace(session, imu=imu, pose=pose), model.recipe)
        moved = np.flatnonzero(np.abs(after.latents - before.latents).max((0, 2)) > 1e-5)
        assert {t - 1, t + 2} <= set(moved.tolist())
        assert t + 1 - moved.min() <= margin and moved.max() - t <= margin


@pytest.mark.parametrize("kind", EVERY_ENCODER)
@pytest.mark.parametrize("lost", ["imu", "pose", "both"])
def test_a_missing_modality_is_said_to_be_missing_and_leaves_all_finite(kind, lost):
    model, session = tiny.model(encoder=kind), tiny.session()
    for modality in ("imu", "pose") if lost == "both" else (lost,):
        session = session.without(modality)
    encoded = encode(model.network, session, model.recipe)
    assert all(np.isfinite(x).all() for x in arrays(encoded))
    column = {"imu": 0, "pose": 1}
    assert not encoded.there[:, 2].any()  # a modality that is never there leaves the other alone to speak
    assert not any(encoded.there[:, column[m]].any() for m in column if lost in (m, "both"))


def test_what_validity_says_does_not_matter_and_a_bridged_gap_is_there():
    model, session = tiny.model(), tiny.session(gaps=False)
    whole = encode(model.network, session, model.recipe)
    bridged = replace(session, valid=tiny.session().valid)
    assert not bridged.valid.all() and whole.there.all()
    assert_same(encode(model.network, bridged, model.recipe), whole, atol=0)


def test_heads_are_there_where_their_modality_is_the_fused_one_where_any_is():
    model, session = tiny.model(), tiny.session(gaps=False)
    imu, pose = np.array(session.imu), np.array(session.pose)
    imu[50:100], pose[80:130] = np.nan, np.nan
    there = encode(model.network, replace(session, imu=imu, pose=pose), model.recipe).there
    lacks = [np.flatnonzero(~column).tolist() for column in there.T]
    assert lacks == [list(range(50, 100)), list(range(80, 130)), list(range(80, 100))]


def test_frames_at_rows_are_those_frames_of_everything():
    model, session = tiny.model(), tiny.session()
    whole, rows = encode(model.network, session, model.recipe), np.array([0, 4, 151, 299])
    some = whole.at(rows)
    np.testing.assert_array_equal(some.latents, whole.latents[:, rows])
    for got, wanted in zip(arrays(some)[1:], arrays(whole)[1:], strict=True):
        np.testing.assert_array_equal(got, wanted[rows])
    assert [z.shape for z, _ in some.read] == [(4, 8)] * 3


def test_one_bad_value_stays_where_it_is(chunks):
    model, session = tiny.model(), tiny.session(frames=900, gaps=False)
    chunks(1024)
    for bad in (np.nan, np.inf, -np.inf, 1e30):
        imu, pose = np.array(session.imu), np.array(session.pose)
        imu[450, 1], pose[450, 2, 0] = bad, bad
        encoded = encode(model.network, replace(session, imu=imu, pose=pose), model.recipe)
        assert all(np.isfinite(x).all() for x in arrays(encoded)), bad


def test_heads_read_their_latent_and_the_features_of_their_modality_zero_where_missing():
    model, session = tiny.model(), tiny.session()
    encoded = encode(model.network, session, model.recipe)
    imu, pose = (x.nan_to_num(0.0).numpy() for x in scaled_features(model.network, session, model.recipe))
    both = np.hstack([imu, pose])
    for (latent, features), z, wanted in zip(encoded.read, encoded.latents, (imu, pose, both), strict=True):
        np.testing.assert_array_equal(latent, z)
        np.testing.assert_allclose(features, wanted, atol=1e-4)


def test_a_session_is_read_less_its_shift():
    model, session = tiny.model(), tiny.session()
    shift = tuple(torch.randn(len(a.mean), generator=torch.Generator().manual_seed(0)) for a in model.network.adapters)
    plain, shifted = (encode(model.network, session, model.recipe, s) for s in (NO_SHIFT, shift))
    scaled = scaled_features(model.network, session, model.recipe)
    for x, by, features in zip(scaled, shift, shifted.features, strict=True):
        np.testing.assert_allclose(features, (x - by).nan_to_num(0.0), atol=1e-4)
    assert np.abs(shifted.latents - plain.latents).max() > 0.01


def test_scaled_features_are_missing_where_nothing_was_measured():
    model, session = tiny.model(), tiny.session()
    for features, valid in zip(scaled_features(model.network, session, model.recipe), session.valid.T, strict=True):
        assert len(features) == len(session) and features[~valid].isnan().all()
        assert features.abs().nan_to_num().max() <= 6


# Ready-made features that are exactly linear in the behaviours: what adaptation should find is known.
READY = Recipe(50.0, (), ("neck", "tail_base"), ("nose", "neck"), (), (), ("a", "b", "c", "d"), ())
MEANS = np.array([[2.0, 0, 0, 1], [0, 1.0, 0, 1], [0, 0, -1.5, 0]])  # (C, F)


def ready_session(doing: np.ndarray, shift: float = 0.0, scale: float = 1.0, noise: float = 0.05):
    """Features that follow the behaviours (T,), the first one recorded with a shift and all with a scale."""
    rng = np.random.default_rng(len(doing))
    features = MEANS[doing] + noise * rng.normal(size=(len(doing), 4))
    features = (scale * features + shift * np.eye(4)[0]).astype("f4")
    return tiny.session(frames=len(doing), gaps=False, ready_imu=features, ready_imu_names=READY.ready_imu_names,
                        imu=np.zeros((len(doing), 0)), imu_names=(), bands=np.zeros((len(doing), 0)), band_names=(),
                        pose=np.zeros((len(doing), 0, 3)), keypoints=(), labels=np.eye(3, dtype="i1")[doing])


@pytest.fixture(scope="module")
def ready():
    """A network that reads the ready-made features alone, and the class map of a balanced session."""
    network = tiny.model(recipe=READY).network
    network.imu_adapter.set_scaling(torch.zeros(4), torch.ones(4))
    session = ready_session(np.arange(1500) // 50 % 3)
    features = scaled_features(network, session, READY)
    return network, fit_class_map([features], [session.labels.astype(float)], ridge=0.01)


def adapted(ready, session) -> torch.Tensor:
    """The shift (F,) of ready-made features that a session gets."""
    network, class_map = ready
    said = [(part, session.labels[part].astype("f4")) for part in pieces(len(session), 700)]
    imu, pose = adapt(network, class_map, session, READY, said, prior_s=1.0)
    assert pose.shape == (0,)
    return imu


def test_the_class_map_is_the_regression_of_features_on_behaviours(ready):
    coefficients = ready[1][0]
    torch.testing.assert_close(coefficients[:3] + coefficients[3], torch.tensor(MEANS).float(), atol=0.02, rtol=0)
    assert ready[1][1].shape == (4, 0)


def test_frames_without_a_label_or_a_feature_do_not_enter_the_class_map(ready):
    session = ready_session(np.arange(1500) // 50 % 3)
    soft, (imu, pose) = session.labels.astype(float), scaled_features(ready[0], session, READY)
    imu = imu.clone()
    soft[::7], imu[::7], imu[::5] = np.nan, 1e3, torch.nan
    gappy = fit_class_map([(imu, pose)], [soft], ridge=0.01)
    torch.testing.assert_close(gappy[0], ready[1][0], atol=0.05, rtol=0)


@pytest.mark.parametrize("planted", [0.8, -1.5])
def test_adaptation_finds_a_planted_shift(ready, planted):
    shift = adapted(ready, ready_session(np.arange(1500) // 50 % 3, shift=planted))
    assert 0.2 < shift[0] / planted <= 1.0
    assert shift[1:].abs().max() < 0.03


def test_a_rat_that_did_other_things_is_not_pulled_to_the_others_means(ready):
    mostly_walking = np.where(np.arange(1500) % 500 < 450, 0, 1)
    shift = adapted(ready, ready_session(mostly_walking))
    assert shift.abs().max() < 0.03


def test_little_data_is_trusted_less(ready):
    few, many = (adapted(ready, ready_session(np.arange(n) // 50 % 3, shift=1.0))[0] for n in (50, 2000))
    assert 0 < few < many <= 1


def test_adaptation_to_a_session_without_anything_changes_nothing():
    model = tiny.model()
    session = tiny.session().without("imu").without("pose")
    class_map = fit_class_map([scaled_features(model.network, tiny.session(), model.recipe)],
                              [tiny.session().labels.astype(float)])
    said = [(slice(0, 300), np.full((300, 3), 0.3, "f4"))]
    assert all((shift == 0).all() for shift in adapt(model.network, class_map, session, model.recipe, said))


def test_two_in_a_hundred_values_are_outside_the_range_of_training_and_a_shift_puts_all_there():
    x = torch.randn(40_000, 3, generator=torch.Generator().manual_seed(0))
    x[::3, 1] = torch.nan
    ranges = feature_range([(x, x[:, :0])])
    assert ranges["imu"].shape == (2, 3) and ranges["pose"].shape == (2, 0)
    none = x[:, :0]
    near, far = share_outside([(x[:9], none[:9]), (x[9:], none[9:])], ranges), share_outside([(x + 20, none)], ranges)
    assert 0 <= near["imu"] < 0.03 and far["imu"] == 1 and np.isnan(near["pose"])
