"""Does a difference between groups survive prediction? `python -m benchmarks.biology [--model data/train_mlp]
[--minutes M] [--json FILE] [--page FILE] [--plot FILE]`.

New animals are simulated in three groups: as usual, three times as ready to groom, and 0.3 times as ready for anything
active. Their recordings are aligned and predicted as `rbc.predict` does, once with each session adapted to the model
and once without. What each animal did with its time, true and predicted, is compared between groups: animals are the
sample, intervals are 95 % bootstrap intervals over them. A change of one behaviour changes the shares of all.
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from benchmarks.biology_page import biology_page
from rbc.classifier import Classifier, read_recipe
from rbc.outputs import write_json, write_text
from rbc.recordings.preparation import align_all
from rbc.recordings.session import Session, load_sessions
from rbc.recordings.truth import read_truth
from rbc.scoring.decision import Predictions
from rbc.simulate import writer
from rbc.simulate.recording import write_session
from rbc.simulate.sizes import Plan
from rbc.simulate.world import ACTIVE

SEED = 300  # not the seed of the animals that models learn from
USUAL = "as usual"
GROOMING, ACTIVITY = "grooming × 3", "activity × 0.3"
FACTORS = {USUAL: {}, GROOMING: {"grooming": 3.0}, ACTIVITY: dict.fromkeys(ACTIVE, 0.3)}
ANIMALS = {USUAL: "F7 F8 F9 F10 F11 F12 F13 F14 F15 F16", GROOMING: "M7 M8 M9 M10 M11 M12 M13 M14 M15 M16",
           ACTIVITY: "F17 F18 F19 F20 M17 M18 M19 M20 M21 M22"}  # fmt: skip
"""Three of each ten wear the IMU on the back."""
PLANTED = {GROOMING: "grooming", ACTIVITY: "anything active"}
ANYTHING_ACTIVE = (*ACTIVE, "turn_left", "turn_right")
WAYS = ("adapted", "zero-shot")
RESAMPLES = 5000


def simulate(root: Path, animals: Mapping[str, str], minutes: float) -> dict[str, str]:
    """Group of each session, whose recordings now lie below `root`; `animals` are names by group."""
    for name in writer.FOLDERS:
        (root / name).mkdir(parents=True)
    groups = {f"{animal}D1_{('indoor', 'outdoor')[i % 2]}": group
              for group, names in animals.items() for i, animal in enumerate(names.split())}
    writer.write_manifest(root, [
        write_session(root, Plan(name, minutes, True, "none"), "first", "default", SEED, FACTORS[group])
        for name, group in tqdm(groups.items(), "simulate", unit="session")])
    return groups


def align(root: Path, out: Path, recipe: dict, classifier: Classifier) -> dict[str, Session]:
    """The sessions of `root`, aligned as the model wants them."""
    out.mkdir()
    known = classifier.model.recipe
    align_all(root, out, behaviours=classifier.model.behaviours, animal_pattern=".+", body_axis=known.body_axis,
              head_axis=known.head_axis, keypoints=known.keypoints, labels=False, **recipe["alignment"])
    return load_sessions(out)


def budgets(classifier: Classifier, sessions: Mapping[str, Session], truth: Mapping[str, np.ndarray],
            groups: Mapping[str, str]) -> pd.DataFrame:
    """A row per session, way and behaviour: the share of the frames in which it happened and was predicted, among those
    with anything to read."""
    rows = []
    for name, session in tqdm(sessions.items(), "predict", unit="session"):
        one = {name: session}
        guessed = classifier.guess(one)
        for way, guess in zip(WAYS, (classifier.adapted(one, guessed)[name], guessed[name]), strict=True):
            decided, there = decide(classifier, guess)
            true, predicted = (shares_of(y[there], session.behaviours) for y in (truth[name] == 1, decided))
            rows += [{"session": name, "animal": session.animal, "group": groups[name], "way": way, "behaviour": b,
                      "true": true[b], "predicted": predicted[b]} for b in true]
    return pd.DataFrame(rows)


def decide(classifier: Classifier, guess: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Decisions (T, C), and in which frames there is anything to read (T,)."""
    return classifier.decision.decide(classifier.decision.probability(*guess)), guess[1].any(1)


def shares_of(present: np.ndarray, behaviours: tuple[str, ...]) -> dict[str, float]:
    """Share of the frames (T, C) with each behaviour, and with anything active."""
    active = present[:, np.isin(behaviours, ANYTHING_ACTIVE)].any(1)
    return dict(zip(behaviours, present.mean(0).tolist(), strict=True)) | {"anything active": float(active.mean())}


def contrast(usual: pd.DataFrame, changed: pd.DataFrame, rng: np.random.Generator) -> dict:
    """How far the group of the rows in `changed` is from that in `usual`, truly and as predicted, and the bias of the
    difference, with intervals over animals."""
    sides = [rows[["true", "predicted"]].to_numpy() for rows in (usual, changed)]  # (animals, 2)
    drawn = [side[rng.integers(len(side), size=(RESAMPLES, len(side)))].mean(1) for side in sides]
    means, differences = [side.mean(0) for side in sides], drawn[1] - drawn[0]  # (RESAMPLES, 2)
    differences = np.column_stack([differences, differences[:, 1] - differences[:, 0]])
    found = np.append(means[1] - means[0], np.diff(means[1] - means[0]))
    low, high = np.percentile(differences, [2.5, 97.5], axis=0)
    row = {f"{what}_{side}": float(mean[k]) for k, what in enumerate(("true", "predicted"))
           for side, mean in zip(("usual", "changed"), means, strict=True)}
    for k, what in enumerate(("true", "predicted", "bias")):
        row |= {what: float(found[k]), f"{what}_low": float(low[k]), f"{what}_high": float(high[k])}
    return row | {"verdict": verdict(row)}


def verdict(row: Mapping[str, float]) -> str:
    """found, missed or reversed where the true interval leaves 0 out; else none, or, where the predicted one does,
    spurious if that of the bias does too, doubtful if not."""
    real, seen, biased = (row[f"{what}_low"] > 0 or row[f"{what}_high"] < 0 for what in ("true", "predicted", "bias"))
    if not seen:
        return "missed" if real else "none"
    if real:
        return "found" if row["true"] * row["predicted"] > 0 else "reversed"
    return "spurious" if biased else "doubtful"


def contrasts(table: pd.DataFrame) -> pd.DataFrame:
    """A row per changed group, behaviour and way, as of `contrast`; `planted` where the behaviour is what changed."""
    rows = []
    for (behaviour, way), both in table.groupby(["behaviour", "way"], sort=False):
        usual = both[both.group == USUAL]
        rows += [{"group": group, "behaviour": behaviour, "way": way, "planted": planted == behaviour,
                  **contrast(usual, both[both.group == group], np.random.default_rng(SEED))}
                 for group, planted in PLANTED.items()]
    return pd.DataFrame(rows).sort_values("group", key=lambda x: x.map(list(PLANTED).index), kind="stable")


def markdown(rows: pd.DataFrame) -> str:
    """What became of the planted differences and how many others there seem to be; then all, in % of the time."""
    lines = []
    for row in rows[rows.planted].itertuples():
        others = rows.verdict[(rows.group == row.group) & (rows.way == row.way) & ~rows.planted].value_counts()
        lines.append(f"- {row.group}, {row.way}: {row.behaviour} {100 * row.true:+.1f} % of the time, predicted "
                     f"{100 * row.predicted:+.1f} %, {row.verdict}; the others: "
                     f"{', '.join(f'{count} {name}' for name, count in others.items())}")
    lines += ["", "| | true difference | " + " | ".join(f"{way} | bias | " for way in WAYS) + " |",
              "|---" * (2 + 3 * len(WAYS)) + "|"]
    for (group, behaviour), ways in rows.groupby(["group", "behaviour"], sort=False):
        cells = [_cell(ways.iloc[0], "true")]
        for row in ways.set_index("way").loc[list(WAYS)].to_dict("records"):
            cells += [_cell(row, "predicted"), _cell(row, "bias"), row["verdict"]]
        lines.append(f"| {group}: {behaviour} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def page(rows: pd.DataFrame, minutes: float) -> str:
    """The same as a Markdown page."""
    animals = ", ".join(f"{len(names.split())} {group}" for group, names in ANIMALS.items())
    return (f"# Differences between groups\n\n`python -m benchmarks.biology --page docs/biology.md`: simulated animals "
            f"({animals}; {minutes:g} minutes each) that no model has seen; differences from those as usual, in % of "
            "the time, with 95 % intervals over animals. found, missed, reversed: of differences whose true interval "
            "leaves 0 out; else spurious where the predicted one and that of the bias do, doubtful where only the "
            f"predicted one does. A change of one behaviour changes the shares of all.\n\n{markdown(rows)}")


def _cell(row: Mapping[str, float], what: str) -> str:
    return f"{100 * row[what]:+.1f} ({100 * row[f'{what}_low']:+.1f} to {100 * row[f'{what}_high']:+.1f})"


def measure(model: Path, root: Path, minutes: float, animals: Mapping[str, str] = ANIMALS) -> pd.DataFrame:
    """Budgets of simulated animals, as of `budgets`."""
    classifier, recipe = Classifier.load(model), read_recipe(model)
    groups = simulate(root / "raw", animals, minutes)
    sessions = align(root / "raw", root / "aligned", recipe, classifier)
    return budgets(classifier, sessions, read_truth(root / "raw", sessions), groups)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("data/train_mlp"), help="folder that train_mlp wrote")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each session")
    parser.add_argument("--json", type=Path, help="file for the budgets of all animals and the differences")
    parser.add_argument("--page", type=Path, help="Markdown page for the differences")
    parser.add_argument("--plot", type=Path, help="HTML page that draws both")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = measure(told.model, Path(folder), told.minutes)
    rows = contrasts(table)
    print(markdown(rows))
    if told.json:
        write_json(told.json, {"minutes": told.minutes, "budgets": table.to_dict("records"),
                               "differences": rows.to_dict("records")})
    if told.page:
        write_text(told.page, page(rows, told.minutes))
    if told.plot:
        write_text(told.plot, biology_page(table, rows))


if __name__ == "__main__":
    main()
