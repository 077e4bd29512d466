import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbc.scoring.splits import LeakError, Ledger, assign, check_no_leak, merge, rungs, view

ANIMALS = {"F1D1_indoor": "F1", "F1D2_indoor": "F1", "M1D1_indoor": "M1", "F5D1_indoor": "F5", "F6D1_indoor": "F6"}
ROLES = assign(ANIMALS, "animal", ["F5"], ["F6"])
intervals = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda p: (p[0], p[0] + p[1])), max_size=12)


def frames_of(entries):
    return {t for a, b in entries for t in range(a, b)}


def served(*entries):
    ledger = Ledger()
    for entry in entries:
        ledger.record(*entry)
    return ledger


def check(ledger, scored, **settings):
    check_no_leak(ledger, scored, **{"roles": ROLES, "context": 10, **settings})


def test_an_animal_has_one_role():
    assert ROLES == {"F1D1_indoor": "train", "F1D2_indoor": "train", "M1D1_indoor": "train",
                     "F5D1_indoor": "validation", "F6D1_indoor": "test"}
    assert assign(ANIMALS, "session", ["F1D2_indoor"], [])["F1D1_indoor"] == "train"


def test_every_wrong_name_is_listed_with_the_known_ones():
    with pytest.raises(ValueError) as caught:
        assign(ANIMALS, "animal", ["F5", "F9"], ["F5", "M7"])
    message = str(caught.value)
    assert all(part in message for part in ("'F9'", "'M7'", "F1, F5, F6, M1", "'F5' is in split.validation and in"))


@pytest.mark.parametrize(("by", "validation", "wanted"), [("rat", [], "animal, session"),
                                                          ("animal", ["F1", "M1", "F5", "F6"], "no animal is left")])
def test_a_split_that_cannot_be_is_refused(by, validation, wanted):
    with pytest.raises(ValueError, match=wanted):
        assign(ANIMALS, by, validation, [])


def test_the_three_rungs_are_a_new_session_a_new_day_and_a_new_animal():
    days = {"F1a": "1", "F1b": "1", "F1c": "2", "F2a": "1", "F3a": "", "F3b": "4", "F4a": "1", "F4b": ""}
    animals = {name: name[:2] for name in days}
    found = rungs(["F1b", "F1c", "F2a", "F3b", "F4b"], ["F1a", "F3a", "F4a"], animals, days)
    assert found == {
        "F1b": "new_session",  # F1's day 1 is known
        "F1c": "new_day",
        "F2a": "new_animal",
        "F3b": "new_session",  # F3's known day has no name, it may be day 4
        "F4b": "new_session",
    }


def test_with_animals_held_out_every_scored_session_is_of_a_new_animal():
    scored = [name for name, role in ROLES.items() if role != "train"]
    training = [name for name, role in ROLES.items() if role == "train"]
    assert set(rungs(scored, training, ANIMALS, dict.fromkeys(ANIMALS, "1")).values()) == {"new_animal"}


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.sampled_from("PQRS"), min_size=4), st.data())
def test_no_group_stands_in_two_roles(sessions, data):
    known = sorted(set(sessions.values()))
    held = data.draw(st.lists(st.sampled_from(known), unique=True, max_size=len(known) - 1))
    cut = data.draw(st.integers(0, len(held)))
    roles = assign(sessions, "animal", held[:cut], held[cut:])
    for group in known:
        assert len({roles[s] for s, animal in sessions.items() if animal == group}) == 1
    assert {sessions[s] for s, role in roles.items() if role == "validation"} == set(held[:cut])


def test_labels_are_seen_by_their_role_alone():
    labels = np.array([[1, 0], [0, -1]], np.int8)
    session = SimpleNamespace(name="F5D1_indoor", labels=labels)
    seen = view(session, "validation", ROLES)
    np.testing.assert_array_equal(seen, labels)
    seen[:] = 0
    assert labels[0, 0] == 1
    for role in ("train", "test"):
        assert (view(session, role, ROLES) == -1).all()
    with pytest.raises(ValueError, match="'dev'"):
        view(session, "dev", ROLES)


@given(intervals)
def test_merging_keeps_every_frame_once(entries):
    merged = merge([(a, b) for a, b in entries if a < b])
    assert frames_of(merged) == frames_of(entries)
    assert all(b < c for (_, b), (c, _) in zip(merged, merged[1:], strict=False))


@given(intervals, st.integers(0, 60), st.integers(1, 20), st.integers(0, 10))
def test_overlap_is_the_intersection_with_the_context(entries, start, size, context):
    ledger = served(*(("s", a, b, "signals", "train") for a, b in entries))
    found = ledger.overlap("s", start, start + size, "signals", context)
    wanted = frames_of(entries) & set(range(start - context, start + size + context))
    assert frames_of((a, b) for a, b, _ in found) == wanted
    assert ledger.overlap("s", start, start + size, "labels", context) == []


@given(intervals, st.randoms())
def test_the_saved_ledger_depends_on_what_was_served_not_on_when(tmp_path_factory, entries, random):
    folder = tmp_path_factory.mktemp("ledger")
    rows = [(f"s{a % 2}", a, b, "labels" if b % 2 else "signals", "train") for a, b in entries]
    half = len(rows) // 2
    served(*rows).save(folder / "a.json")
    shuffled = rows[:]
    random.shuffle(shuffled)
    served(*shuffled[:half]).union(served(*shuffled[half:])).save(folder / "b.json")
    assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes()
    assert Ledger.load(folder / "a.json").intervals() == served(*rows).intervals()
    json.loads((folder / "a.json").read_text())


def test_recording_many_crops_keeps_the_ledger_small():
    ledger = Ledger()
    rng = np.random.default_rng(0)
    for start in rng.integers(0, 10_000, 20_000):
        ledger.record("s", int(start), int(start) + 256, "signals", "train")
    assert sum(map(len, ledger._served.values())) < 2000
    again = Ledger()
    again.restore(json.loads(json.dumps(ledger.state())))
    assert again.intervals() == ledger.intervals()


@pytest.mark.parametrize("entry", [("s", -1, 4, "labels", "train"), ("s", 5, 4, "labels", "train"),
                                   ("s", 0, 4, "video", "train")])
def test_an_entry_that_makes_no_sense_is_refused(entry):
    with pytest.raises(ValueError):
        Ledger().record(*entry)


def test_training_on_training_animals_is_no_leak():
    check(served(("F1D1_indoor", 0, 500, "signals", "train"), ("M1D1_indoor", 0, 90, "labels", "train")),
          {"F5D1_indoor": [(0, 500)], "F6D1_indoor": [(0, 500)]})


@pytest.mark.parametrize("what", ["signals", "labels"])
def test_a_served_frame_that_is_scored_is_named(what):
    ledger = served(("F1D1_indoor", 0, 500, "signals", "train"), ("F5D1_indoor", 300, 320, what, "train"))
    with pytest.raises(LeakError, match=f"F5D1_indoor: {what} of frames 300-320 served as 'train' are scored"):
        check(ledger, {"F5D1_indoor": [(0, 500)]})


def test_a_crop_that_reaches_over_the_border_is_a_leak_within_the_context_only():
    roles = {"F1D1_indoor": "train"}
    ledger = served(("F1D1_indoor", 0, 95, "signals", "train"))
    check(ledger, {"F1D1_indoor": [(105, 200)]}, roles=roles)
    with pytest.raises(LeakError, match="frames 94-95"):
        check(ledger, {"F1D1_indoor": [(104, 200)]}, roles=roles)


def test_a_session_outside_training_teaches_nobody_even_where_it_is_not_scored():
    with pytest.raises(LeakError, match="F6D1_indoor: signals of frames 0-9 .* role is test"):
        check(served(("F6D1_indoor", 0, 9, "signals", "train")), {"F5D1_indoor": [(0, 500)]})
    with pytest.raises(LeakError, match="role is unknown"):
        check(served(("F9D1_indoor", 0, 9, "signals", "train")), {"F5D1_indoor": [(0, 500)]})


def test_calibration_is_allowed_cross_fitted_on_validation_animals_alone():
    ledger = served(("F5D1_indoor", 0, 500, "labels", "calibration"))
    check(ledger, {"F5D1_indoor": [(0, 500)]}, cross_fitted=True)
    check(ledger, {"F6D1_indoor": [(0, 500)]})
    with pytest.raises(LeakError):
        check(ledger, {"F5D1_indoor": [(0, 500)]})
    with pytest.raises(LeakError):
        check(served(("F6D1_indoor", 0, 500, "labels", "calibration")), {"F6D1_indoor": [(0, 500)]}, cross_fitted=True)


def test_transductive_lets_signals_through_and_no_labels():
    scored = {"F5D1_indoor": [(0, 500)]}
    check(served(("F5D1_indoor", 0, 500, "signals", "train")), scored, mode="transductive")
    with pytest.raises(LeakError):
        check(served(("F5D1_indoor", 0, 5, "labels", "train")), scored, mode="transductive")
    with pytest.raises(LeakError):
        check(served(("F5D1_indoor", 0, 5, "signals", "train")), scored, mode="online")
    with pytest.raises(ValueError, match="inductive, online, transductive"):
        check(Ledger(), scored, mode="cheating")


def test_many_leaks_are_counted_and_some_are_shown():
    ledger = served(*(("F5D1_indoor", t, t + 1, "labels", "train") for t in range(0, 100, 2)))
    with pytest.raises(LeakError, match="50 leaks.*(?s:.)*and 30 more"):
        check(ledger, {"F5D1_indoor": [(0, 500)]})
