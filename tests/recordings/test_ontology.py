from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from recorded import SETTINGS, raw, write_arrays

from rbc.recordings.annotations import Annotation
from rbc.recordings.ontology import Ontology, translate
from rbc.recordings.preparation import align_all
from rbc.recordings.session import load_sessions

BEHAVIOURS = ("walk", "still", "rearing", "jump")


def test_names_that_are_no_behaviours_are_listed():
    ontology = Ontology((("walk", "stil"),), {"jump": ("fly",)}, {"rear": "rearin"}, {"swim": "in water"})
    problems = ontology.problems(BEHAVIOURS)
    assert [p.partition(":")[0] for p in problems] == [
        "data.ontology.exclusive", "data.ontology.implies", "data.ontology.aliases.rear", "data.ontology.definitions"]
    assert "unknown behaviour 'stil' (did you mean 'still'?); data.behaviours knows walk, still" in problems[0]


def test_contradictions_of_the_ontology_itself_are_listed():
    ontology = Ontology((("walk",), ("walk", "jump")), {"jump": ("walk",)}, {"still": "walk"})
    alone, implied, alias = ontology.problems(BEHAVIOURS)
    assert "exclusive: walk; needs two names" in alone and "'still' is a behaviour itself" in alias
    assert "jump implies walk, and walk, jump exclude each other" in implied
    assert Ontology().problems(BEHAVIOURS) == []


def test_conflicts_are_counted_frame_by_frame():
    labels = np.array([[1, 1, 0, 0], [1, 1, -1, 1], [0, 0, 0, 1], [0, 0, 1, 1], [1, -1, 0, 0]], np.int8)
    ontology = Ontology((("walk", "still", "rearing"),), {"jump": ("rearing",)})
    counts, where = ontology.conflicts(labels, BEHAVIOURS)
    assert counts == {"walk with still": 2, "jump without rearing": 1}
    assert where.tolist() == [True, True, True, False, False]
    assert not Ontology().conflicts(labels, BEHAVIOURS)[1].any()


def test_aliases_become_behaviours_in_events_and_frames():
    events = Annotation(Path("a"), ("walk", "rear"), (("rear", 1.0, 2.0), ("walk", 3.0, 4.0)), (2, 3), ((0.0, 9.0),))
    frames = Annotation(
        Path("b"), ("rear", "walk", "rearing"), frame_numbers=np.arange(5), rate_hz=30.0,
        frames=np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, 0, -1], [-1, 0, 1]], np.int8),
    )  # fmt: skip
    given = raw(annotators={"A": events, "B": frames}, consensus=frames)
    given = replace(given, row=replace(given.row, scored=("rear", "walk")))
    out = translate(given, {"rear": "rearing"})
    assert out.annotators["A"].bouts == (("rearing", 1.0, 2.0), ("walk", 3.0, 4.0))
    assert out.row.scored == ("rearing", "walk") and out.behaviours == ("rearing", "walk")
    assert out.consensus.frames.tolist() == [[1, 0], [0, 1], [-1, 0], [-1, 0], [1, 0]]
    assert translate(given, {}) is given


def test_a_whole_ontology_reads_labels_and_counts_what_contradicts_it(tmp_path):
    labels = np.zeros((200, 3), np.int8)
    labels[:30, 0], labels[20:40, 1], labels[100:110, 2] = 1, 1, 1  # walk, still, jump
    labels = np.column_stack([labels, labels[:, 2]])
    labels[105:110, 3] = 0  # a jump without rearing
    row = write_arrays(tmp_path, "F1D1", labels=labels, label_names=np.array(["walk", "still", "jump", "rear"]))
    pd.DataFrame([row]).to_csv(tmp_path / "sessions.csv", index=False)
    ontology = Ontology((("walk", "still"),), {"jump": ("rearing",)}, {"rear": "rearing"}, {"walk": "all paws step"})
    settings = {name: getattr(SETTINGS, name) for name in ("body_axis", "head_axis", "rate_hz", "min_likelihood",
                                                           "max_gap_s", "min_clock_correlation")}  # fmt: skip
    table = align_all(tmp_path, tmp_path / "out", behaviours=BEHAVIOURS, animal_pattern="^..", ontology=ontology,
                      progress=False, **settings)
    assert table["conflict_frames"].tolist() == [15]
    assert "walk with still" in table["note"][0] and "jump without rearing" in table["note"][0]
    session = load_sessions(tmp_path / "out")["F1D1"]
    assert (session.labels == 1).sum(0).tolist() == [30, 20, 5, 10]
