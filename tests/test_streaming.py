import io
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from tiny import EVERY_ENCODER

from rbc.classifier import Classifier
from rbc.inference import fit_class_map, scaled_features
from rbc.learning.mlp import WindowMlp
from rbc.recordings.errors import RecordingError
from rbc.scoring.decision import Decision, Rules
from rbc.stream import follow, samples
from rbc.streaming import STEPS, Stream, columns

BODY_PX = 80.0


def classifier(windows=(4, 16), session=None, **changes) -> Classifier:
    model, session = tiny.model(**changes), session or tiny.session()
    widths = tuple(a.mean.numel() for a in model.network.adapters)
    torch.manual_seed(1)
    mlp = WindowMlp(8, widths, 3, windows, hidden_dim=6, members=2, causal=model.recipe.causal)
    class_map = fit_class_map([scaled_features(model.network, session, model.recipe)], [session.labels.astype(float)])
    mix = np.random.default_rng(0).dirichlet(np.ones(3), 3).T
    decision = Decision(Rules(), mix, np.tile((1.3, 0.1), (3, 1)), np.full(3, 0.5), np.zeros(3), np.ones(3, int))
    return Classifier(model, mlp, class_map, decision)


def rows_of(session) -> np.ndarray:
    """(T, columns) samples of a session."""
    points = np.concatenate([session.pose, session.other], 1).reshape(len(session), -1)
    return np.concatenate([session.imu, session.bands, points, session.ready_imu, session.ready_pose], 1)


def offline(made: Classifier, session) -> np.ndarray:
    return made.decision.probability(*made.guess({"x": session})["x"])


@pytest.mark.parametrize(("kind", "windows", "frames"), [
    *((kind, (4, 16), 500) for kind in EVERY_ENCODER), ("conv", (), 401), ("conv", (300,), 700), ("conv", (16,), 33),
])
def test_a_stream_says_what_is_said_of_the_whole_session(kind, windows, frames):
    made, session = classifier(windows, encoder=kind, blocks=3), tiny.session(frames=frames)
    wanted = offline(made, session)
    stream, said = Stream(made, BODY_PX), []
    for t, sample in enumerate(rows_of(session)):
        said += list(stream.push(sample))
        assert len(said) >= t + 1 - stream.look_ahead
    assert len(said) <= frames
    said += list(stream.finish())
    np.testing.assert_allclose(said, wanted, atol=1e-4)


@pytest.mark.parametrize(("windows", "frames"), [((4, 16), 300), ((), 70), ((64,), 200), ((16,), 33)])
def test_a_causal_stream_says_of_every_sample_at_once_what_is_said_of_the_whole_session(windows, frames):
    made, session = classifier(windows, causal=True), tiny.session(frames=frames)
    stream, other = Stream(made, BODY_PX), Stream(made, BODY_PX)
    said = [stream.push(sample) for sample in rows_of(session)]
    np.testing.assert_array_equal([other.push(sample) for sample in rows_of(session)], said)  # each remembers its own
    assert stream.look_ahead == 0 and {len(p) for p in said} == {1} and len(stream.finish()) == 0
    np.testing.assert_allclose(np.concatenate(said), offline(made, session), atol=1e-4)


@pytest.mark.parametrize("causal", [True, False])
def test_a_causal_model_knows_nothing_of_what_follows(causal):
    made, session, other = classifier(causal=causal), tiny.session(frames=300), tiny.session(frames=300, seed=1)
    join = lambda field: np.concatenate([getattr(session, field)[:200], getattr(other, field)[200:]])  # noqa: E731
    met = replace(session, **{field: join(field) for field in ("imu", "bands", "pose", "valid")})
    before, after = offline(made, session), offline(made, met)
    assert np.allclose(before[:200], after[:200], atol=1e-6) == causal
    assert not np.allclose(before[200:], after[200:], atol=1e-6)


def test_another_animal_and_ready_made_features_stream_too():
    rng = np.random.default_rng(0)
    session = tiny.session(frames=400, other=np.dstack([rng.normal(300, 50, (400, 2, 2)), np.ones((400, 2))]).astype("f4"),
                           ready_imu=rng.normal(size=(400, 2)).astype("f4"), ready_imu_names=("a", "b"),
                           ready_pose=rng.normal(size=(400, 1)).astype("f4"), ready_pose_names=("c",))
    recipe = replace(tiny.RECIPE, others=True, ready_imu_names=("a", "b"), ready_pose_names=("c",))
    made = classifier(session=session, recipe=recipe)
    stream = Stream(made, BODY_PX)
    assert stream.columns[-9:] == ("other_front_x", "other_front_y", "other_front_likelihood", "other_rear_x",
                                   "other_rear_y", "other_rear_likelihood", "a", "b", "c")
    said = [row for sample in rows_of(session) for row in stream.push(sample)]
    np.testing.assert_allclose([*said, *stream.finish()], offline(made, session), atol=1e-4)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("lost", ["pose", "imu", "nothing"])
def test_the_heads_that_speak_are_those_of_the_whole_session(causal, lost):
    """The mount is one that no labelled animal had; a recipe without a modality says that it is never there."""
    gone = {"pose": {"keypoints": ()}, "imu": {"imu_names": (), "band_names": ()}, "nothing": {}}[lost]
    session = replace(tiny.session(frames=200), report={"mount": "back"})
    if gone:
        column = {"pose": "pose", "imu": "bands"}[lost]
        session = replace(session.without(lost), **gone, **{column: getattr(session, column)[:, :0]})
    made = replace(classifier(session=session, recipe=replace(tiny.RECIPE, **gone, causal=causal)), mounts=("head",))
    said = {}
    for mount in ("head", "back"):
        stream = Stream(made, BODY_PX, mount)
        said[mount] = np.array([*(row for sample in rows_of(session) for row in stream.push(sample)), *stream.finish()])
    np.testing.assert_allclose(said["back"], offline(made, session), atol=1e-4)
    assert np.allclose(said["head"], said["back"], atol=1e-4) == bool(gone)


def test_blocks_are_said_one_by_one_each_a_few_steps_after_its_last_sample():
    made, session = classifier(), tiny.session(frames=600)
    stream = Stream(made, BODY_PX)
    known = [len(stream.push(sample)) for sample in rows_of(session)]
    places = np.flatnonzero(known)
    assert (np.diff(places) == stream.block).all() and places[0] % stream.block == STEPS - 1
    assert {known[t] for t in places[1:]} == {stream.block} and known[places[0]] <= stream.block


def test_a_session_without_frames_says_nothing():
    assert Stream(classifier(), BODY_PX).finish().shape == (0, 3)


def as_csv(names, rows) -> io.StringIO:
    cells = (",".join("" if np.isnan(x) else repr(float(x)) for x in row) for row in rows)
    return io.StringIO("\n".join([",".join(names), *cells]) + "\n")


def test_rows_go_in_and_rows_come_out():
    made, session = classifier(), tiny.session(frames=300)
    out, names = io.StringIO(), columns(made.model.recipe)
    assert names[:7] == ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z", "band_low")
    assert names[8:12] == ("nose_x", "nose_y", "nose_likelihood", "neck_x")
    follow(Stream(made, BODY_PX), as_csv(names, rows_of(session)), out)
    head, *rows = out.getvalue().splitlines()
    assert head == "frame,walk_probability,still_probability,turn_probability"
    table = np.array([row.split(",") for row in rows], float)
    np.testing.assert_array_equal(table[:, 0], np.arange(300))
    np.testing.assert_allclose(table[:, 1:], offline(made, session), atol=2e-4)


def test_columns_may_come_in_any_order_and_be_missing():
    made, session = classifier(), tiny.session(frames=120)
    names = columns(made.model.recipe)
    order = np.random.default_rng(0).permutation(6)
    found = list(samples(as_csv([names[i] for i in order], rows_of(session)[:, order]), names))
    np.testing.assert_array_equal(np.array(found)[:, :6], session.imu)
    assert np.isnan(np.array(found)[:, 6:]).all()


@pytest.mark.parametrize(("text", "said"), [
    ("", "row 1: names nothing; needs some of acc_x"), ("acc_x,tail\n", "row 1: names tail; needs some of acc_x"),
    ("acc_x,acc_y\n1,2\n3\n", "row 3: has 1 cells; needs 2"),
    ("acc_x\n1\nfast\n", "row 3, acc_x: 'fast'; needs a number"),
])
def test_rows_that_make_no_sense_are_refused(text, said):
    with pytest.raises(RecordingError, match=said):
        list(samples(io.StringIO(text), columns(tiny.RECIPE)))
