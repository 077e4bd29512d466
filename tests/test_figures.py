import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dvc_render.vega import VegaRenderer

from rbc import report
from rbc.figures.embedding import EmbeddingTrack, embedding_page, groups, principal_components, sample_evenly
from rbc.figures.ethogram import ethogram_page
from rbc.figures.page import clock_text, rounded
from rbc.figures.palette import KNOWN, NONE, NOT_SCORED, SEVERAL, SPARE, blend, palette
from rbc.figures.quality import quality_page
from rbc.figures.table import score_table
from rbc.figures.tracks import EthogramTrack, block_means
from rbc.figures.trust import trust_page
from rbc.recordings.origin import describe_data
from rbc.scoring.certainty import risk_rows
from rbc.scoring.metrics import Scored
from rbc.scoring.reliability import WHOLE, calibration_rows

BEHAVIOURS = ("walk", "rearing", "digging")
TEMPLATES = Path(__file__).parents[1] / ".dvc" / "plots"
# linear RGB as seen without the green and without the red cone (Machado et al. 2009, severity 1)
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]


def ethogram_track(session="F5D1_indoor", frames=500, **changes) -> EthogramTrack:
    """A session at 50 Hz: walk annotated in frames 100 to 199 and predicted 20 later, digging never looked for."""
    labels = np.zeros((frames, 3), "i1")
    labels[100:200, 0] = 1
    labels[:, 2] = -1
    flat = np.ones(frames)
    fields = dict(
        session=session, animal="F5", role="validation", time_s=np.arange(frames) * 0.02, labels=labels,
        decision=np.roll(labels == 1, 20, axis=0), probability=np.where(labels == 1, 0.9, 0.125), truth=None,
        imu_activity=flat, rotation=30 * flat, speed=np.where(np.arange(frames) < 50, np.nan, 2.0),
        f1={"walk": 0.8, "rearing": float("nan")},
    )
    return EthogramTrack(**fields | changes)


def embedding_tracks(frames=400) -> list[EmbeddingTrack]:
    rng = np.random.default_rng(1)
    tracks = []
    for session, animal, role in (("F1D1", "F1", "train"), ("F5D1", "F5", "validation"), ("F6D1", "F6", "test")):
        labels = (rng.random((frames, 3)) < 0.4).astype("i1")
        labels[:40] = -1
        latent = rng.normal(size=(frames, 8)).astype("f2")
        latent[-10:] = np.nan
        tracks.append(EmbeddingTrack(session, animal, role, np.arange(frames) * 0.02, latent, labels))
    return tracks


def page_data(html: str) -> dict:
    return json.loads(re.search(r"^const DATA = (.*);$", html, re.MULTILINE).group(1))


def oklab(colours, cones=np.eye(3)) -> np.ndarray:
    """(n, 3) OKLab coordinates (Ottosson 2020) of #rrggbb colours, seen through `cones`."""
    rgb = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ np.transpose(cones)
    lms = np.clip(linear, 0, 1) @ np.transpose(
        [[0.4122215, 0.5363325, 0.0514460], [0.2119035, 0.6806995, 0.1073970], [0.0883025, 0.2817188, 0.6299787]])
    return np.cbrt(lms) @ np.transpose(
        [[0.2104543, 0.7936178, -0.0040720], [1.9779985, -2.4285922, 0.4505937], [0.0259040, 0.7827718, -0.8086758]])


def least_distance(colours, cones=np.eye(3)) -> float:
    lab = oklab(colours, cones)
    return float((np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 9 * np.eye(len(lab))).min())


def test_known_behaviours_keep_their_colour_in_any_company():
    assert palette(["still", "walk"]) == {"still": KNOWN["still"], "walk": KNOWN["walk"]}
    assert palette(["walk", "digging", "drinking"])["digging"] == palette(["drinking", "digging"])["digging"]


@pytest.mark.parametrize("cones", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["normal", "deuteranopia", "protanopia"])
def test_the_twelve_colours_stay_apart_for_every_sight(cones):
    assert least_distance(list(KNOWN.values()), cones) > 0.09


def test_twenty_colours_and_the_greys_stay_apart():
    twenty = list(palette([*KNOWN, *(f"other_{k}" for k in range(8))]).values())
    assert twenty[12:] == list(SPARE)
    assert least_distance([*twenty, SEVERAL, NONE, NOT_SCORED]) > 0.07


def test_more_than_twenty_behaviours_still_differ():
    assert len(set(palette([f"b{k}" for k in range(55)]).values())) == 55
    assert blend("#000000", "#ffffff", 0.5) == "#808080"


def test_block_means_skip_what_is_missing():
    values = np.array([1.0, 3.0, np.nan, 5.0, np.nan, np.nan, 7.0])
    np.testing.assert_array_equal(block_means(values, 2), [2.0, 5.0, np.nan, 7.0])
    assert block_means(np.ones((7, 3)), 5).shape == (2, 3)


def quality_table(count=5, **changes) -> pd.DataFrame:
    """Sessions without trouble; `changes` spoil the last."""
    row = dict(
        animal="F5", frames=6000, labelled_frames=3000, offset_ms=5000.0, offset_se_ms=4.0, drift_ppm=10.0,
        drift_se_ppm=20.0, steps=0.0, correlation_before=0.01, correlation_after=0.9, clock="accepted",
        missing_imu=0.01, missing_pose=0.1, pose_rate_hz=30.0, imu_rate_hz=100.0, rest_g=1.0, rest_deg_s=4.0,
        slips=0, roll_deg=0.0, swaps=0, swapped=0.0, conflict_frames=0, mounting="head", heading_se_deg=2.0, note="", far_acceleration=0.2, far_shape=0.3,
        far_features=float("nan"), far_signals="acceleration: |acc|; shape: paw_left",
    )
    rows = [row | {"session": f"F5D{k}"} for k in range(count)]
    return pd.DataFrame(rows[:-1] + [rows[-1] | changes])


def cell(data: dict, session: str, check: str) -> tuple[str, str]:
    """Text and step of trouble, 0 to z, of a check whose title begins so."""
    s = data["sessions"].index(session)
    q = next(k for k, title in enumerate(data["checks"]) if title.startswith(check))
    return data["text"][s].split("|")[q], data["trouble"][s][q]


SPOILT = {
    "refused": ({"clock": "refused", "note": "turning agrees nowhere clearly: best match 3", "offset_se_ms": np.nan,
                 "missing_imu": 1.0}, "clock", ("refused", "z"), "clock refused: turning agrees nowhere clearly"),
    "clock": ({"offset_se_ms": 40.0}, "IMU clock", ("5000 ±40", "z"), "clock known to ± 40 ms only"),
    "drift": ({"drift_ppm": -900.0}, "drift", ("-900 ±20", "z"), "clock drifts by -900 ppm"),
    "steps": ({"steps": 9.0}, "steps", ("9", "z"), "9 steps in the clock"),
    "correlation": ({"correlation_after": 0.3}, "correlation", ("0.0→0.30", "z"), "correlate by 0.30 only"),
    "imu": ({"missing_imu": 0.7}, "IMU<br>missing", ("70", "z"), "IMU missing 70 %"),
    "pose": ({"missing_pose": 0.8}, "pose", ("80", "z"), "pose missing 80 %"),
    "rate": ({"imu_rate_hz": 10.0}, "IMU rate", ("10", "z"), "IMU at 10 Hz, unlike the others"),
    "video": ({"pose_rate_hz": 120.0}, "video rate", ("120", "z"), "video at 120 Hz, unlike the others"),
    "unit": ({"rest_g": 0.78}, "at rest<br>|acc|", ("0.78", "z"), "|acceleration| at rest 0.78 g"),
    "bias": ({"rest_deg_s": 80.0}, "at rest<br>|gyro|", ("80", "z"), "gyroscope at rest 80 °/s"),
    "roll": ({"slips": 13, "roll_deg": 95.2}, "harness", ("95 (13)", "z"), "harness rolled through 95°, 13 slips"),
    "swap": ({"swaps": 2, "swapped": 0.4}, "animals", ("40", "z"), "animals swapped in 40 %"),
    "labels": ({"conflict_frames": 300}, "labels", ("10.0", "z"), "labels contradict in 10.0 %"),
    "shape": ({"far_shape": 4.0}, "body", ("4.0", "z"), "shape (paw_left) 4.0 spreads from usual"),
}


@pytest.mark.parametrize("changes, check, seen, words", SPOILT.values(), ids=SPOILT)
def test_quality_page_shows_what_is_wrong_on_top(changes, check, seen, words):
    html = quality_page(quality_table(**changes))
    data = page_data(html)
    assert data["sessions"][0] == "F5D4" and cell(data, "F5D4", check) == seen
    assert words in data["reasons"][0] and data["reasons"][1:] == [""] * 4
    assert "5 sessions, 1 worth a look" in html and not set("".join(data["trouble"][1:])) - {"0", " "}


def test_quality_page_leaves_out_what_nobody_has():
    data = page_data(quality_page(quality_table()))
    assert "features" not in data["checks"] and not [title for title in data["checks"] if "contradict" in title]
    gone = dict.fromkeys(("correlation_after", "correlation_before", "roll_deg", "slips", "swaps", "swapped"))
    checks = page_data(quality_page(quality_table().assign(clock="none", missing_imu=1.0, **gone)))["checks"]
    assert not [title for title in checks if title.startswith(("clock", "correlation", "IMU<", "harness", "animals"))]


def test_quality_page_names_sessions_left_out():
    table = quality_table(frames=0, note="left out: camera <b>fell</b>")
    assert "Left out: F5D4 (camera &lt;b&gt;fell&lt;/b&gt;)" in quality_page(table)
    with pytest.raises(ValueError, match="no session"):
        quality_page(table[table["frames"] == 0])


def test_quality_page_of_many_sessions_is_light_and_repeatable():
    rng = np.random.default_rng(0)
    table = quality_table(882).assign(far_shape=rng.gamma(2, 0.5, 882), missing_pose=rng.random(882))
    for name in ("rotation", "gravity", "bands", "speed", "likelihood", "features"):
        table[f"far_{name}"] = rng.gamma(2, 0.5, 882)
    html = quality_page(table)
    assert len(html.encode()) < 5e6 and html == quality_page(table.copy())
    assert '<select id="part">' in html and '<select id="part">' not in quality_page(quality_table())


def test_pages_tell_what_behaviours_mean():
    meant = {"walk": 'all four "paws" step', "rearing": ""}
    for make in (lambda **more: quality_page(quality_table(), **more),
                 lambda **more: ethogram_page([ethogram_track()], BEHAVIOURS, **more)):  # fmt: skip
        html = make(definitions=meant)
        assert '<abbr title="all four &quot;paws&quot; step">walk</abbr>' in html and ">rearing</abbr>" not in html
        assert "<abbr" not in make() and make(definitions={"walk": ""}) == make()


def test_numbers_of_a_page():
    assert rounded(np.array([[0.126, np.nan], [1.0, 2.5]]), 2) == [[0.13, None], [1.0, 2.5]]
    assert rounded(np.array([87.4]), 0) == [87]
    assert [clock_text(time_s) for time_s in (0, 75.26, 59.97, -1)] == ["0:00.0", "1:15.3", "1:00.0", "-0:01.0"]


def test_ethogram_draws_bouts_where_they_are():
    figure = page_data(ethogram_page([ethogram_track()], BEHAVIOURS))["figures"]["F5D1_indoor"]
    unscored, annotated, predicted = figure["traces"][:3]
    assert (unscored["base"], unscored["x"]) == ([0.0], [10.0])
    assert (annotated["base"], annotated["x"]) == ([2.0], [2.0])
    assert (predicted["base"], predicted["x"]) == ([2.4], [2.0])
    assert annotated["marker"]["color"] == [KNOWN["walk"]] and annotated["y"] > predicted["y"] > unscored["y"]
    assert figure["traces"][3]["z"][0][:21] == [12] * 20 + [90] and figure["traces"][3]["dx"] == 0.1
    assert figure["traces"][-1]["y"][:11] == [None] * 10 + [2.0]
    assert figure["layout"]["yaxis"]["ticktext"] == ["walk  <b>0.80</b>", "rearing  <b>–</b>", "digging  <b>–</b>"]


def test_ethogram_shows_the_truth_of_simulated_sessions():
    track = ethogram_track(truth=np.ones((500, 3), "i1"))
    html = ethogram_page([track], BEHAVIOURS)
    assert page_data(html)["figures"]["F5D1_indoor"]["traces"][1]["base"] == [0.0, 0.0, 0.0]
    assert "simulated truth" in html and "simulated truth" not in ethogram_page([ethogram_track()], BEHAVIOURS)


def test_ethogram_page_is_limited_offline_and_repeatable():
    tracks = [ethogram_track(f"F5D{day}_indoor", frames=8000) for day in range(1, 4)]
    html = ethogram_page(tracks, BEHAVIOURS, max_sessions=2, max_minutes=1.0)
    assert list(page_data(html)["figures"]) == ["F5D1_indoor", "F5D2_indoor"]
    assert page_data(html)["figures"]["F5D1_indoor"]["range"] == [0.0, 60.0]
    assert "first 2 of 3 sessions" in html and "first 1 minutes of F5D1_indoor, F5D2_indoor" in html
    assert html == ethogram_page(tracks, BEHAVIOURS, max_sessions=2, max_minutes=1.0)
    assert not re.search(r"<script[^>]+src=", html)


def test_ethogram_of_twenty_minutes_stays_small():
    frames = 60_000
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.integers(0, 2, (frames // 50, 3)), 50, axis=0).astype("i1")
    noise = rng.random(frames)
    track = ethogram_track(frames=frames, labels=labels, decision=labels == 1, probability=rng.random((frames, 3)),
                           imu_activity=noise, rotation=900 * noise, speed=noise)
    assert len(json.dumps(page_data(ethogram_page([track], BEHAVIOURS)))) < 1_500_000


def test_ethogram_names_the_array_that_does_not_fit():
    with pytest.raises(ValueError, match=r"F5D1_indoor: decision has shape \(500, 2\); needs \(500, 3\)"):
        ethogram_page([ethogram_track(decision=np.zeros((500, 2), bool))], BEHAVIOURS)
    with pytest.raises(ValueError, match="no session"):
        ethogram_page([], BEHAVIOURS)


def test_groups_of_frames():
    labels = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0], [-1, -1, -1], [-1, 0, 1], [-1, 0, 0]], "i1")
    assert groups(labels).tolist() == [1, 3, 4, 5, 2, 4]


def test_even_sample_keeps_every_rare_frame():
    group = np.array([0] * 1000 + [1] * 5 + [2] * 200)
    chosen = sample_evenly(group, 105, np.random.default_rng(0))
    assert np.bincount(group[chosen]).tolist() == [50, 5, 50] and (np.diff(chosen) > 0).all()
    assert len(sample_evenly(group, 10_000, np.random.default_rng(0))) == len(group)


def test_principal_components_of_a_line_and_of_few_points():
    line = np.outer(np.linspace(-1, 1, 11), [3.0, 4.0])
    scores, shares = principal_components(line)
    np.testing.assert_allclose(scores[:, 0], np.linspace(-5, 5, 11), atol=1e-12)
    np.testing.assert_allclose(shares, [1, 0, 0], atol=1e-12)
    assert principal_components(np.ones((1, 8)))[0].tolist() == [[0.0, 0.0, 0.0]]


def test_embedding_page_holds_what_its_menus_filter_by():
    tracks = embedding_tracks()
    html = embedding_page(tracks, BEHAVIOURS, rng=np.random.default_rng(0), max_points=300)
    data = page_data(html)
    assert len(data["group"]) == len(data["owner"]) == len(data["points"][2]) == 300
    assert data["sessions"] == [["F1D1", "train", "F1"], ["F5D1", "validation", "F5"], ["F6D1", "test", "F6"]]
    assert set(data["owner"]) == {0, 1, 2} and set(data["group"]) == set(range(6)) and max(data["time"]) < 390 * 0.02
    for time_s, owner, which in zip(data["time"], data["owner"], data["set"]):
        present = tracks[owner].labels[round(time_s / 0.02)] == 1
        assert data["sets"][which] == " + ".join(np.array(BEHAVIOURS)[present])
    assert html == embedding_page(tracks, BEHAVIOURS, rng=np.random.default_rng(0), max_points=300)


def test_embedding_without_a_finite_frame_is_refused():
    track = EmbeddingTrack("s", "a", "train", np.zeros(4), np.full((4, 8), np.nan), np.zeros((4, 3), "i1"))
    with pytest.raises(ValueError, match="finite"):
        embedding_page([track], BEHAVIOURS, rng=np.random.default_rng(0))


def trust_rows() -> tuple:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, (900, 3))
    labels, probability = (odds + rng.logistic(size=odds.shape) > 0).astype("i1"), 1 / (1 + np.exp(-odds))
    labels[:, 2] = -1
    scored = Scored("F5D1", "F5", labels, probability, odds >= 0, np.abs(odds) - 0.7)
    told = {name: (labels, np.sqrt(probability), probability) for name in (WHOLE, "imu")}
    return *calibration_rows(told, BEHAVIOURS), risk_rows([scored], BEHAVIOURS)


def test_trust_page_draws_what_was_scored_under_each_condition():
    html = trust_page(*trust_rows(), role="validation")
    data = page_data(html)
    assert "validation animals" in html and html == trust_page(*trust_rows(), role="validation")
    assert list(data["bins"]) == ["both", "imu", "share halved", "share doubled"]
    assert len(data["bins"]["both"]) == 2 * 3 and all(len(titles) == 2 for titles in data["titles"].values())
    after = data["bins"]["both"][2]
    np.testing.assert_allclose(after["x"], after["y"], atol=0.15)
    assert [trace["line"]["color"] for trace in data["curves"][::4]] == list(palette(BEHAVIOURS[:2]).values())
    curve, chosen = data["curves"][:2]
    assert len(curve["x"]) == 20 and len(chosen["x"]) == 1 and chosen["y"][0] < curve["y"][0]
    assert {f"xaxis{k}" for k in range(1, 5)} <= set(data["layout"])


def test_a_trust_page_of_nothing_is_refused():
    with pytest.raises(ValueError, match="scored"):
        trust_page([], [], [], role="validation")


def test_names_from_outside_cannot_break_the_page():
    html = ethogram_page([ethogram_track('</script><b>"x')], BEHAVIOURS)
    assert "</script><b>" not in html and '</script><b>"x' in page_data(html)["figures"]


@pytest.mark.parametrize("name, row, x, y", [
    ("rbc_loss", {"epoch": "1", "split": "train", "loss": "0.5"}, "epoch", "loss"),
    ("rbc_f1", {"behaviour": "walk", "method": "rbc", "f1": "0.5"}, "f1", "behaviour"),
    ("rbc_pr", {"behaviour": "walk", "recall": "0.5", "precision": "0.5", "threshold": "0.5"}, "recall", "precision"),
    ("rbc_risk", {"behaviour": "walk", "coverage": "0.9", "risk": "0.1", "f1": "0.5"}, "coverage", "risk"),
    ("rbc_clock", {"session": "F1D1", "correlation_after": "0.5"}, "correlation_after", "session"),
])
def test_templates_are_filled_and_keep_revisions_apart(name, row, x, y):
    rows = [row | {"rev": rev} for rev in ("workspace", "HEAD")]
    definitions = [{"filename": "plots/some.csv", "field": y}]
    renderer = VegaRenderer(rows, name, template=name, template_dir=str(TEMPLATES), x=x, y=y, title="title",
                            revs_with_datapoints=["workspace", "HEAD"], anchors_y_definitions=definitions)
    spec = renderer.get_filled_template()
    text = json.dumps(spec)
    assert "<DVC_" not in text and spec["data"]["values"] == rows
    assert '"color": {"field": "rev", "scale": {"domain": ["workspace", "HEAD"]' in text


METRICS = {
    "data": {"name": "my_rats", "manifest": "abc"},
    "f1": {"macro": 0.8, "micro": 0.85, "macro_collar": 0.87}, "ap": {"macro": 0.7},
    "interval": {"low": 0.75, "high": 0.9},
    "behaviours": {"walk": {"f1": 0.9, "precision": 0.8, "recall": 1.0, "ap": 0.95},
                   "jump": {"f1": 0.5, "precision": None, "recall": float("nan"), "ap": 0.4}},
    "baselines": {"always_present": 0.2, "random_forest": 0.6}, "ceiling": {"annotator": 0.9, "all_labels": None},
    "rungs": {"new_session": None, "new_day": None, "new_animal": 0.8},
    "split": {"by": "animal", "role": "validation", "mode": "inductive", "animals": 2, "labelled_minutes": 31.25,
              "decision": "cross-fitted"},
}


def test_score_table_is_aligned_and_leaves_out_what_is_absent():
    lines = score_table(METRICS).splitlines()
    assert lines[:3] == [
        "Data: my_rats",
        "Scores on validation animals; animals 2; labelled minutes 31.2; split by animal: every animal is new to the "
        "model; mode inductive; decision cross-fitted",
        "macro F1 0.800 (95 % interval over animals 0.750 to 0.900), macro AP 0.700",
    ]
    rows = lines[4:9]
    assert len({len(row) for row in rows}) == 1
    assert rows[2].split() == ["jump", "0.500", "–", "–", "0.400"]
    assert rows[4].split()[3:] == ["0.700", "0.800", "1.000", "0.675"]
    assert any("random forest 0.600" in line for line in lines) and not any("truth" in line for line in lines)
    assert any(line.endswith("new session –   new day –   new animal 0.800") for line in lines)
    assert any(line.endswith("annotator 0.900") for line in lines)


def test_score_table_tells_simulated_from_real_data():
    truth = {"macro": 0.88, "ap": 0.9, "interval": {"low": None, "high": None}, "imu": 0.7}
    lines = score_table(METRICS | {"truth": truth}).splitlines()
    assert lines[0] == "SIMULATED data, no real animal: my_rats"
    assert lines[3] == "against the simulated truth: macro F1 0.880 (no interval from a single animal), macro AP 0.900"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A working directory with settings, recordings and scores of them."""
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).resolve().parents[1]
    for folder in ("metrics", "data/raw"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "params.yaml").write_text((root / "params.yaml").read_text())
    (tmp_path / "data/raw/sessions.csv").write_text("session\nF1D1\n")
    return tmp_path


def scores_of(folder, file="metrics/evaluate.json", **data) -> None:
    (folder / file).write_text(json.dumps(METRICS | {"data": describe_data(folder / "data/raw") | data}))


def test_report_prints_the_scores_that_exist(checkout, capsys):
    assert report.main() == 1 and "dvc repro" in capsys.readouterr().err
    scores_of(checkout)
    assert report.main() == 0
    printed = capsys.readouterr().out
    assert "walk" in printed and printed.index("walk") < printed.index("Where to look next")
    (checkout / "metrics/evaluate.json").write_text("{}")
    assert report.main() == 0 and "no animal of this role" in capsys.readouterr().out


def test_scores_of_another_data_set_are_named_and_not_shown(checkout, capsys):
    scores_of(checkout)
    scores_of(checkout, "metrics/test.json", name="simulated first default seed 20", manifest="0123")
    assert report.main() == 0
    printed = capsys.readouterr().out
    assert printed.count("walk") == 1
    assert ("metrics/test.json: scores of another data set (simulated first default seed 20), not shown; `make final` "
            "scores yours") in printed
    (checkout / "metrics/test.json").write_text(json.dumps({k: v for k, v in METRICS.items() if k != "data"}))
    assert report.main() == 0 and "another data set (not named), not shown" in capsys.readouterr().out


def test_without_the_recordings_the_scores_are_shown_with_their_name(checkout, capsys):
    scores_of(checkout, name="elsewhere", manifest="0123")
    (checkout / "data/raw/sessions.csv").unlink()
    assert report.main() == 0
    printed = capsys.readouterr().out
    assert "data/raw (data.root) is not here" in printed and "Data: elsewhere" in printed
