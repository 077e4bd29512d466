from dataclasses import asdict

from rbc.simulate.world import BEHAVIOURS, BOUTS, CONFUSED, MOTION, PACE, SIZES, UNLISTED, WORLDS, table_hash

FROZEN = "9c68ed0f0c306016"


def test_table_is_the_frozen_one():
    assert table_hash() == FROZEN, "frozen before the first network was trained: a change states its reason"


def test_every_behaviour_has_its_entries():
    for name in (*BEHAVIOURS, *UNLISTED):
        process = "turn" if name.startswith("turn") else name
        assert process in BOUTS and process in MOTION and name in CONFUSED
    assert set(PACE) == set(BEHAVIOURS)


def test_default_sessions_fit_the_split_of_params():
    validation, test = {"F5", "M4"}, {"F6", "M5", "M6"}
    sessions = SIZES["default"].sessions
    roles = ["validation" if p.animal in validation else "test" if p.animal in test else "train" for p in sessions]
    assert [roles.count(role) for role in ("train", "validation", "test")] == [11, 3, 4]
    assert len({p.animal for p in sessions}) == 12 and sum(p.minutes == 40 for p in sessions) == 1
    assert all(p.labelled == "all" for p, role in zip(sessions, roles) if role != "train")
    assert sum(p.labelled == "none" for p in sessions) == 3
    assert all(p.name.startswith(p.animal) for p in sessions)


def test_back_mounts_are_about_a_third():
    animals = {p.animal for p in SIZES["default"].sessions}
    for world in WORLDS.values():
        assert 3 <= len(animals & set(world.back_animals)) <= 6


def test_careful_people_annotate_the_first_world():
    people = {"missed", "missed_short", "confused", "late_factor", "error_factor", "merged_gap_s"}
    first, careful = asdict(WORLDS["first"]), asdict(WORLDS["careful"])
    assert {name for name in first if first[name] != careful[name]} == people
