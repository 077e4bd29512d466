import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_data import folder
from recorded import read_manifest

from rbc.recordings.annotations import Annotation, check, read_annotations, to_frames
from rbc.recordings.errors import RecordingError
from rbc.recordings.raw import read_raw

KNOWN = ("walk", "rearing", "still")
SPAN = ((0.0, 10.0),)
TABULAR = (
    "Observation id,Observation date,Description,Observation type,Source,Time offset (s),Coding duration,"
    "Media duration (s),FPS (frame/s),Subject,Observation duration by subject by observation,Behavior,"
    "Behavioral category,Behavior type,Time,Media file name,Image index,Image file path,Comment"
)
AGGREGATED = (
    "Observation id,Observation date,Description,Observation type,Source,Time offset (s),Coding duration,"
    "Media duration (s),FPS (frame/s),Subject,Observation duration by subject by observation,Behavior,"
    "Behavioral category,Behavior type,Start (s),Stop (s),Duration (s),Media file name,Image index start,"
    "Image index stop,Image file path start,Image file path stop,Comment start,Comment stop"
)
CALTECH = """Caltech Behavior Annotator - Annotation File

Configuration file:
base\tz
walk\tw
still\ts
rearing\tr

S1:\tstart\tend\ttype
-----------------------------
   \t1\t10\tbase
   \t11\t20\twalk
   \t21\t100\tbase

S2:\tstart\tend\ttype
-----------------------------
   \t1\t15\tbase
   \t16\t18\trearing
"""


def event(behaviour, kind, time, *, subject="F1", video="a.mp4", offset="0.000", fps="10"):
    return f"s,2024,,Media file,1:a.mp4,{offset},10,10,{fps},{subject},10,{behaviour},,{kind},{time},{video},1,,"


EVENTS = [event("walk", "START", "1.000"), event("rearing", "START", "1.5"), event("walk", "STOP", "2.000"),
          event("rearing", "STOP", "3")]  # fmt: skip


def bout(behaviour, start, stop, kind="STATE"):
    return f"s,2024,,Media file,1:a.mp4,0.000,10,10,10,F1,10,{behaviour},,{kind},{start},{stop},1,a.mp4,1,1,,,,"


def write(path, lines, end="\n"):
    path.write_bytes((end.join(lines) + end).encode())
    return path


def runs(labels, column):
    """(first, last) frame of 1s."""
    present = np.flatnonzero(labels[:, KNOWN.index(column)] == 1)
    return (int(present[0]), int(present[-1])) if len(present) else None


def test_boris_tabular(tmp_path):
    annotation = read_annotations(write(tmp_path / "a.csv", [TABULAR, *EVENTS]), SPAN, 10)
    assert annotation.bouts == (("walk", 1.0, 2.0), ("rearing", 1.5, 3.0)) and annotation.lines == (2, 3)
    labels = to_frames(annotation, np.arange(120) / 10, KNOWN, None)
    assert labels.dtype == np.int8 and labels.shape == (120, 3)
    assert runs(labels, "walk") == (10, 19) and runs(labels, "rearing") == (15, 29)
    assert (labels[:100, :2] >= 0).all() and (labels[100:] == -1).all()
    assert (labels[:, 2] == -1).all()  # nobody said that still was looked for
    labels = to_frames(annotation, np.arange(120) / 10, KNOWN, ("walk", "rearing", "still"))
    assert (labels[:100, 2] == 0).all()


def test_tabs_crlf_byte_order_mark_and_an_older_preamble(tmp_path):
    header = "\t".join(["Time", "Media file path", "Total length", "FPS", "Subject", "Behavior", "Comment", "Status"])
    rows = ["1\ta.mp4\t10\t10\tF1\twalk\t\tSTART", "2\ta.mp4\t10\t10\tF1\twalk\t\tSTOP"]
    path = write(tmp_path / "a.tsv", ["\ufeffObservation id\ts", "", "Player #1\ta.mp4", header, *rows], end="\r\n")
    assert read_annotations(path, SPAN, 10).bouts == (("walk", 1.0, 2.0),)


def test_boris_aggregated(tmp_path):
    path = write(tmp_path / "a.csv", [AGGREGATED, bout("walk", 1, 2), bout("still", "4.5", "5.25")])
    assert read_annotations(path, SPAN, 10).bouts == (("walk", 1.0, 2.0), ("still", 4.5, 5.25))


def test_no_events_in_a_watched_span_are_absences(tmp_path):
    labels = to_frames(read_annotations(write(tmp_path / "a.csv", [TABULAR]), SPAN, 10), np.arange(5.0), KNOWN, KNOWN)
    assert (labels == 0).all()


def test_observation_interval_is_a_span(tmp_path):
    lines = [f"Observation interval start,Observation interval stop,{TABULAR}", *(f"0.5,8,{row}" for row in EVENTS)]
    assert read_annotations(write(tmp_path / "a.csv", lines), (), 10).spans == ((0.5, 8.0),)
    assert read_annotations(tmp_path / "a.csv", ((1, 2),), 10).spans == ((1, 2),)


def test_one_subject_of_several(tmp_path):
    rows = [*EVENTS, event("still", "START", 4, subject="F2"), event("still", "STOP", 5, subject="F2")]
    path = write(tmp_path / "a.csv", [TABULAR, *rows])
    assert read_annotations(path, SPAN, 10, subject="F2").bouts == (("still", 4.0, 5.0),)
    assert read_annotations(path, SPAN, 10, subject="F2").notes == ("a.csv: events of F2, not of F1",)
    with pytest.raises(RecordingError, match=r"column 'Subject': F1, F2; the manifest's subject .* is 'F3'; needs one"):
        read_annotations(path, SPAN, 10, subject="F3")


@pytest.mark.parametrize(
    "rows, message",
    [
        (EVENTS[1:], "line 3: 'walk' at 2 s: unpaired STOP: no START before it"),
        (EVENTS[:-1], "line 3: 'rearing' at 1.5 s: unpaired START: no STOP after it"),
        ([*EVENTS[:1], event("walk", "START", 1.2), *EVENTS[1:]], r"unpaired START: the START at 1 s \(line 2\)"),
        ([*EVENTS, event("walk", "POINT", 4)], "line 6: 'walk' at 4 s: a POINT event has no duration"),
        ([*EVENTS, event("walk", "BEGIN", 4)], "line 6: 'walk' at 4 s: column 'Behavior type': 'BEGIN'"),
        ([*EVENTS, event("walk", "START", "4,5")], "line 6: 20 fields or more; the header has 19"),
        ([*EVENTS, event("walk", "START", "late")], "line 6: column 'Time': 'late' is not a number"),
        ([*EVENTS, event("", "START", 4), event("", "STOP", 5)], "line 6: column 'Behavior' is empty"),
        ([*EVENTS, event("walk", "START", -1), event("walk", "STOP", 0.5)], "needs 0 <= start <= stop"),
        ([*EVENTS, event("still", "START", 4, video="b.mp4")], r"2 media files in the observation \(a.mp4, b.mp4\)"),
        ([event("walk", "START", 4, offset="12.5")],
         "line 2: column 'Time': 4; the video begins at 12.5, its 'Time offset .s.'"),
        ([event("walk", "START", 4, offset="soon")], "'Time offset .s.' is soon; needs one number"),
        ([*EVENTS, event("walk", "START", 4, offset="1")], "'Time offset .s.' is 0.000, 1; needs one number"),
        ([event("walk", "START", 4, fps="25")], "column 'FPS': the annotated video has 25; pose_rate_hz says 10"),
    ],
)
def test_events_that_are_refused(tmp_path, rows, message):
    with pytest.raises(RecordingError, match=message) as error:
        read_annotations(write(tmp_path / "a.csv", [TABULAR, *rows]), SPAN, 10)
    assert "a.csv" in str(error.value)


OLD = ["Observation id\tF1D1", "", "Media file(s)", "Player #1\ta.mp4", "", "Observation date\t2016-05-02 10:00:00", "",
       "Description\t", "", "Time offset (s)\t0", "", "Independent variables", "variable\tvalue", "sex\tF", "", "", "",
       "Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tBehavioral category\tModifiers\tComment\tStatus",
       "1.000\ta.mp4\t10\t10.0\tF1\twalk\t\tslow\t\tSTART", "1.5\ta.mp4\t10\t10.0\tF1\twalk\t\tfast\t\tSTART",
       "2.000\ta.mp4\t10\t10.0\tF1\twalk\t\tslow\t\tSTOP", "3\ta.mp4\t10\t10.0\tF1\twalk\t\tfast\t\tSTOP"]  # fmt: skip
OLD_AGGREGATED = [
    "Observation id,Observation date,Description,Media file,Total length,FPS,Subject,Behavior,Behavioral category,"
    "Modifiers,Behavior type,Start (s),Stop (s),Duration (s),Comment start,Comment stop",
    "s,2018,,a.mp4,10,10.0,No focal subject,walk,,slow|left,STATE,1,2,1,,",
    "s,2018,,a.mp4,10,10.0,F1,jump,,,POINT,4,4,NA,,",
]  # fmt: skip


def test_exports_of_older_versions(tmp_path):
    annotation = read_annotations(write(tmp_path / "a.tsv", OLD, "\r\n"), SPAN, 10)
    assert annotation.bouts == (("walk", 1, 2), ("walk", 1.5, 3)) and annotation.lines == (19, 20)
    assert annotation.notes == ("a.tsv: modifiers are not used",)
    annotation = read_annotations(write(tmp_path / "b.csv", OLD_AGGREGATED), SPAN, 10, point_s=0.2)
    assert annotation.bouts == (("walk", 1, 2), ("jump", 4, 4.2))
    assert annotation.notes == ("b.csv: modifiers are not used", "1 POINT events of 'jump' last 0.2 s each")


@pytest.mark.parametrize("change, message", [
    ((4, "Player #1\tb.mp4"), r"2 media files in the observation \(a.mp4, b.mp4\); needs one a file, or 'Source' and "
     "'Media duration .s.' of each: times run on over all of them"),
    ((9, "Time offset (s)\t12.5"), "'Time offset .s.' is 12.5; needs 0: times in s of video time"),
    ((9, "Time offset (hh:mm:ss)\t00:01:00"), "'Time offset .hh:mm:ss.' is 00:01:00; needs 0"),
    ((21, OLD[20].replace("slow", "left")), r"line 22: 'walk' \(left\) at 2 s: unpaired STOP: no START before it"),
])  # fmt: skip
def test_older_exports_that_are_refused(tmp_path, change, message):
    place, line = change
    with pytest.raises(RecordingError, match=message):
        read_annotations(write(tmp_path / "a.tsv", [*OLD[:place], line, *OLD[place:]]), SPAN, 10)


def test_an_offset_is_taken_off_the_times(tmp_path):
    rows = [event("walk", "START", "11.5", offset="10.5"), event("walk", "STOP", "12.5", offset="10.5")]
    annotation = read_annotations(write(tmp_path / "a.csv", [TABULAR, *rows]), SPAN, 10)
    assert annotation.bouts == (("walk", 1, 2),)
    assert annotation.notes == ("a.csv: 'Time offset (s)' of 10.5 is taken off the times",)
    rows = [bout("walk", 1, 2).replace(",0.000,", ",-3,")]
    assert read_annotations(write(tmp_path / "b.csv", [AGGREGATED, *rows]), SPAN, 10).bouts == (("walk", 4, 5),)
    header, rows = f"Observation interval start,Observation interval stop,{TABULAR}", [f"0.5,8,{row}" for row in rows]
    path = write(tmp_path / "c.csv", [header, f"0.5,8,{event('walk', 'START', '11.5', offset='10.5')}"])
    with pytest.raises(RecordingError, match="c.csv: event labels without a span"):  # which may include the offset
        read_annotations(path, (), 10)


def queued(path, source="player #1:a.mp4;b.mp4", durations="100.000;50.000", fps="10.000;10.000"):
    """An export whose times run on over two media of 100 s and 50 s."""
    events = [("START", 99), ("STOP", 101), ("START", 140), ("STOP", 149.5)]
    rows = [event("walk", *cells, fps=fps).replace("1:a.mp4", source) for cells in events]
    return write(path / "a.csv", [TABULAR, *(row.replace(f",10,{fps}", f",{durations},{fps}") for row in rows)])


def test_media_of_one_player_are_the_chapters_of_video(tmp_path):
    annotation = read_annotations(queued(tmp_path), ((0, 150),), 10, chapters_s=(100.4, 49.9))
    assert [a for _, a, _ in annotation.bouts] == pytest.approx([99, 140.4])
    assert [b for *_, b in annotation.bouts] == pytest.approx([101.4, 149.9])
    assert annotation.notes == ("a.csv: times run over 2 media files, which are the chapters of video",)
    shorter = read_annotations(queued(tmp_path), ((0, 150),), 10, chapters_s=(99.5, 50.0))
    assert shorter.bouts[0] == ("walk", 99, pytest.approx(100.5))


def test_players_side_by_side_show_one_video(tmp_path):
    for source in ("player #1:a.mp4;player #2:side.mp4", "player #1:a.mp4|player #2:side.mp4"):
        rows = [row.replace("1:a.mp4", source) for row in EVENTS]
        assert len(read_annotations(write(tmp_path / "a.csv", [TABULAR, *rows]), SPAN, 10).bouts) == 2


@pytest.mark.parametrize("changes, chapters_s, message", [
    ({}, (), "the session has 0 chapters of video; needs as many, in the same order"),
    ({}, (150.0,), "the session has 1 chapters of video; needs as many, in the same order"),
    ({}, (50.0, 100.0), "a.mp4 lasts 100 s, its chapter of video 50.00 s; needs the same, in the same order"),
    ({"durations": "100;NA"}, (100.0, 50.0), "needs one a file, or 'Source' and 'Media duration .s.' of each: times"),
    ({"durations": "NA"}, (100.0, 50.0), "needs one a file, or 'Source' and 'Media duration .s.' of each: times"),
    ({"source": "player #1:a.mp4;b.mp4|player #2:c.mp4;d.mp4", "durations": "100;50|100;50"}, (100.0, 50.0),
     "2 players; needs one, whose media are the session's chapters of video"),
])  # fmt: skip
def test_media_that_follow_each_other_but_cannot_be_placed(tmp_path, changes, chapters_s, message):
    with pytest.raises(RecordingError, match=r"a.csv: 2 media files in the observation \(a.mp4, b.mp4\); " + message):
        read_annotations(queued(tmp_path, **changes), ((0, 150),), 10, chapters_s=chapters_s)


def test_modifiers_pair_with_their_own_and_points_last_as_long_as_is_said(tmp_path):
    header = TABULAR.replace("Behavior type", "Modifier #1,Modifier #2,Behavior type")
    events = ("START", 1, "slow"), ("START", 2, "fast"), ("STOP", 3, "slow"), ("STOP", 4, "fast"), ("POINT", 6, "")
    cells = [(event("walk", kind, time).split(","), modifier) for kind, time, modifier in events]
    rows = [",".join([*line[:13], modifier, "", *line[13:]]) for line, modifier in cells]
    path = write(tmp_path / "a.csv", [header, *rows])
    annotation = read_annotations(path, SPAN, 10, point_s=0.5)
    assert annotation.bouts == (("walk", 1, 3), ("walk", 2, 4), ("walk", 6, 6.5))
    assert annotation.notes == ("a.csv: modifiers are not used", "1 POINT events of 'walk' last 0.5 s each")
    assert runs(to_frames(annotation, np.arange(50) / 10, KNOWN, None), "walk") == (10, 39)
    with pytest.raises(RecordingError, match="line 6: 'walk' at 6 s: a POINT event has no duration; needs START and "
                                             "STOP, or how long it lasts in the manifest's point_s"):  # fmt: skip
        read_annotations(path, SPAN, 10)


def test_event_labels_without_a_span(tmp_path):
    for name, lines in (("a.csv", [TABULAR, *EVENTS]), ("a.txt", CALTECH.splitlines())):
        with pytest.raises(RecordingError, match=f"{name}: event labels without a span"):
            read_annotations(write(tmp_path / name, lines), (), 10)


@pytest.mark.parametrize(
    "rows, message",
    [
        ([bout("walk", 2, 1)], "line 2: 'walk' from 2 s to 1 s"),
        ([bout("walk", 1, "")], r"line 2: column 'Stop \(s\)' is empty"),
        ([bout("walk", 1, 1, "POINT")], "line 2: 'walk': a POINT event has no duration"),
    ],
)
def test_aggregated_bouts_that_are_refused(tmp_path, rows, message):
    with pytest.raises(RecordingError, match=message):
        read_annotations(write(tmp_path / "a.csv", [AGGREGATED, *rows]), SPAN, 10)


def test_missing_column_and_unknown_format(tmp_path):
    path = write(tmp_path / "a.csv", [AGGREGATED.replace("Stop (s)", "End"), bout("walk", 1, 2)])
    with pytest.raises(RecordingError, match=r"missing column 'Stop \(s\)'"):
        read_annotations(path, SPAN, 10)
    with pytest.raises(RecordingError, match="missing column 'Behavior'"):
        read_annotations(write(path, [TABULAR.replace("Behavior,", "Conduct,"), *EVENTS]), SPAN, 10)
    with pytest.raises(RecordingError, match="a.csv: empty file"):
        read_annotations(write(path, ["", ""]), SPAN, 10)


def test_caltech_counts_frames_from_one(tmp_path):
    annotation = read_annotations(write(tmp_path / "a.txt", CALTECH.splitlines(), end="\r\n"), SPAN, 10)
    assert annotation.behaviours == ("walk", "still", "rearing")
    labels = to_frames(annotation, np.arange(100) / 10, KNOWN, None)
    assert runs(labels, "walk") == (10, 19) and runs(labels, "rearing") == (15, 17)
    assert (labels[:, 2] == 0).all()  # still is in the configuration: looked for, never seen


@pytest.mark.parametrize("line", ["   \tten\t20\twalk", "   \t20\t10\twalk", "   \t0\t10\twalk", "   \t5\t10"])
def test_caltech_lines_that_are_refused(tmp_path, line):
    with pytest.raises(RecordingError, match="a.txt: line 19"):
        read_annotations(write(tmp_path / "a.txt", [*CALTECH.splitlines(), line]), SPAN, 10)


def test_per_frame_masks(tmp_path):
    lines = ["Index,walk,rearing,unknown,not_in_frame", "0,1,0,0,0", "1,1,,0,0", "2,0,1,1,0", "4,0,1,0,0", "5,1,1,0,1"]
    annotation = read_annotations(write(tmp_path / "a.csv", lines), (), 10)
    labels = to_frames(annotation, np.array([0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, np.nan]), KNOWN, None)
    assert labels[:, 0].tolist() == [1, 1, 1, -1, -1, 0, -1, -1, -1]
    assert labels[:, 1].tolist() == [0, 0, -1, -1, -1, 1, -1, -1, -1]
    assert (labels[:, 2] == -1).all()
    within = to_frames(read_annotations(tmp_path / "a.csv", ((0.0, 0.2),), 10), np.arange(6) / 10, KNOWN, ("walk",))
    assert within[:, 0].tolist() == [1, 1, -1, -1, -1, -1] and (within[:, 1] == -1).all()


@pytest.mark.parametrize(
    "lines, message",
    [
        (["Index,walk", "0,1", "1,2"], "line 3: column 'walk': 2"),
        (["Index,walk", "0,1", "1,yes"], "line 3: column 'walk': 'yes' is not a number"),
        (["Index,walk", "0,1", "0,1"], "line 3: column 'Index': 0; needs whole numbers"),
        (["Index,walk", "0.5,1"], "line 2: column 'Index': 0.5"),
        (["Index,unknown", "0,1"], "missing column: a column per behaviour"),
    ],
)
def test_per_frame_cells_that_are_refused(tmp_path, lines, message):
    with pytest.raises(RecordingError, match=message):
        read_annotations(write(tmp_path / "a.csv", lines), (), 10)
    with pytest.raises(RecordingError, match="pose_rate_hz is empty"):
        read_annotations(tmp_path / "a.csv", (), float("nan"))


def test_unknown_behaviour_names_near_misses(tmp_path):
    rows = [event("wlak", "START", 1), event("wlak", "STOP", 2)]
    annotation = read_annotations(write(tmp_path / "a.csv", [TABULAR, *rows]), SPAN, 10)
    with pytest.raises(RecordingError, match=r"line 2: unknown behaviour 'wlak' \(did you mean 'walk'\?\)"):
        to_frames(annotation, np.arange(5.0), KNOWN, None)
    assert len(check(annotation, KNOWN, ("walk", "stil"), None)) == 2
    frames = read_annotations(write(tmp_path / "b.csv", ["Index,rear", "0,1"]), (), 10)
    assert "column 'rear': unknown behaviour 'rear'" in check(frames, KNOWN, None, None)[0]


def test_a_labelled_behaviour_that_was_not_scored(tmp_path):
    annotation = read_annotations(write(tmp_path / "a.csv", [TABULAR, *EVENTS]), SPAN, 10)
    assert "'rearing' is labelled, but the manifest's scored lists walk" in check(annotation, KNOWN, ("walk",), 10)[0]


def test_labels_beyond_the_recording(tmp_path):
    annotation = read_annotations(write(tmp_path / "a.csv", [TABULAR, *EVENTS]), SPAN, 10)
    assert not check(annotation, KNOWN, None, 9.9)
    problems = check(annotation, KNOWN, None, 2.0)
    assert "span 0-10: labels beyond the recording, which ends at 2.00 s" in problems[0]
    assert "line 3: 'rearing' stops at 3 s: labels beyond the recording" in problems[1]
    frames = read_annotations(write(tmp_path / "b.csv", ["Index,walk", "0,1", "90,0"]), (), 10)
    with pytest.raises(RecordingError, match="frames to 9.10 s: labels beyond the recording"):
        to_frames(frames, np.arange(5.0), KNOWN, None, 5.0)


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 20)), max_size=6), st.integers(0, 40), st.integers(41, 99))
def test_frames_are_inside_bouts_and_spans(bouts, first, last):
    """Closed form: frame i of a 10 Hz video is labelled exactly where an integer comparison says so."""
    events = tuple(("walk", start / 10, (start + length) / 10) for start, length in bouts)
    annotation = Annotation("x", ("walk",), events, tuple(range(len(events))), ((first / 10, last / 10),))
    labels = to_frames(annotation, np.arange(110) / 10, KNOWN, None)[:, 0]
    for i, label in enumerate(labels):
        inside = any(start <= i < start + length for start, length in bouts)
        assert label == (-1 if not first <= i < last else inside)


def test_real_rats_have_12000_annotated_frames_each():
    root = folder("rats")
    names, bouts = set(), dict.fromkeys(("bite", "chase", "freezing"), 0)
    for row in read_manifest(root, ""):
        annotation = read_annotations(row.labels[0][1], row.span, row.pose_rate_hz)
        names |= set(annotation.behaviours)
        labels = to_frames(annotation, np.arange(16_000) / 25, tuple(sorted(annotation.behaviours)), row.scored)
        assert (labels != -1).all(axis=1).sum() == 12_000
        for name in bouts:
            bouts[name] += sum(what == name for what, *_ in annotation.bouts)
    assert len(names) == 10 and "base" not in names
    assert bouts["bite"] <= 33 and bouts["freezing"] <= 21 and min(bouts.values()) > 0


def test_chapters_of_pose_place_the_media_that_boris_queued(tmp_path):
    header = ["scorer,s,s,s", "bodyparts,nose,nose,nose", "coords,x,y,likelihood"]
    for name, frames in (("1.csv", 1004), ("2.csv", 500)):
        write(tmp_path / name, [*header, *(f"{i},5,6,1" for i in range(frames))])
    queued(tmp_path)
    write(tmp_path / "sessions.csv", ["session,animal,pose,imu,labels,pose_rate_hz,imu_rate_hz,span",
                                      "F1D1,F1,1.csv;2.csv,,a.csv,10,,0-150"])  # fmt: skip
    raw = read_raw(read_manifest(tmp_path, "")[0])
    assert next(iter(raw.annotators.values())).bouts[1] == ("walk", pytest.approx(140.4), pytest.approx(149.9))
