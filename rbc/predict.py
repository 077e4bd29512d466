"""Behaviours of recordings never seen: `python -m rbc.predict --model data/train_mlp --recordings DIR --out DIR`.

DIR holds a sessions.csv (or an older layout), as data.root does; labels are neither needed nor looked at.
OUT/<session>.csv has a row per frame of the common clock: time_s, video_frame (the nearest; empty without a
video), per behaviour <behaviour>_probability and 0/1 <behaviour>, then valid_imu and valid_pose, then per
behaviour <behaviour>_uncertain: 1 where the probability lies so near the threshold that the 0/1 is not to be
relied upon. A frame in which there is nothing of either to read (short gaps are bridged) keeps its row: its
decisions are 0, and uncertain.
OUT/bouts.csv has a row per bout; stop_s and stop_frame are exclusive, and frames are the video's.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from tqdm import tqdm

from rbc.classifier import Classifier, read_recipe, trained
from rbc.disk import FullDiskError
from rbc.inference import features_of, looked_at, share_outside
from rbc.outputs import BusyError, write_table, writing
from rbc.predictions import bout_table, drift_notes, fit_to_model, mount_note, write_frames
from rbc.recordings.errors import RecordingError
from rbc.recordings.preparation import align_all
from rbc.recordings.session import load_sessions
from rbc.rooms import each

BOUTS = "bouts.csv"


def main(arguments: Sequence[str] | None = None) -> int:
    """0; or 1 with one message that lists every problem, a full disk too, and nothing written."""
    parser = argparse.ArgumentParser("rbc.predict", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder that train_mlp wrote")
    parser.add_argument("--recordings", type=Path, required=True, help="folder of the recordings")
    parser.add_argument("--out", type=Path, required=True, help="folder to write, new or empty")
    parser.add_argument("--overwrite", action="store_true", help="replace the predictions that are there")
    try:
        predict(**vars(parser.parse_args(arguments)))
    except (RecordingError, BusyError, FullDiskError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def predict(model: Path, recordings: Path, out: Path, overwrite: bool = False) -> None:
    """Write the predictions of all sessions and print a summary. Raises RecordingError, with nothing written."""
    out = Path(os.path.abspath(out))
    classifier, notes = check(model, out, overwrite)
    network, recipe = classifier.model.network, classifier.model.recipe
    bouts, warnings = [], []
    with writing(out) as folder:
        with TemporaryDirectory(dir=folder) as aligned:
            table = align_all(
                recordings, Path(aligned), behaviours=classifier.model.behaviours, animal_pattern=".+",
                body_axis=recipe.body_axis, head_axis=recipe.head_axis, keypoints=recipe.keypoints, labels=False,
                **notes["alignment"],
            ).set_index("session")
            if Path(BOUTS).stem in table.index:
                raise RecordingError(f"session {Path(BOUTS).stem}: needs another name, {BOUTS} is the table of bouts")
            for name, session in tqdm(load_sessions(Path(aligned)).items(), "predict", unit="session"):
                session, found = fit_to_model(session, recipe)
                looks = (features_of(network, session, recipe, chunk) for chunk in looked_at(len(session)))
                found += drift_notes(share_outside(looks, notes["feature_range"]))
                if session.valid[:, 0].any() and not classifier.taught(session.mount):
                    found.append(mount_note(session, classifier.mounts))
                guess = classifier.headline({name: session}, notes["adapt"])[name]
                probability = classifier.decision.probability(*guess)
                decided = classifier.decision.decide(probability)
                decision = each(lambda d, there: d & there.any(1, keepdims=True), decided, guess[1])
                unsure = classifier.decision.uncertain(probability, decided)
                uncertain = each(lambda u, there: u | ~there.any(1, keepdims=True), unsure, guess[1])
                write_frames(folder / f"{name}.csv", session, probability, decision, uncertain)
                bouts.append(bout_table(session, probability, decision))
                table.loc[name, ["imu", "pose"]] = session.valid.mean(0)
                warnings += [f"{name}: {note}" for note in found]
        write_table(folder / BOUTS, pd.concat(bouts))
    used = table[table["frames"] > 0]
    lines = [f"{name:24} {row.frames / recipe.rate_hz / 60:7.1f} {row.imu:5.0%} {row.pose:5.0%}  {row.clock}"
             for name, row in used.iterrows()]
    found = [f"{name}: {note}" for name, note in table["note"].items() if note]
    print(f"{'session':24} minutes   imu  pose  clock", *lines, *found, *warnings, sep="\n")


def check(model: Path, out: Path, overwrite: bool) -> tuple[Classifier, dict]:
    """The classifier and the notes that predicting needs. Raises RecordingError, for a wrong `out` too."""
    problems, loaded = [], None
    try:
        with trained(model):
            notes = read_recipe(model)
            loaded = Classifier.load(model), {name: notes[name] for name in ("adapt", "alignment", "feature_range")}
    except RecordingError as error:
        problems += error.problems
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        if not overwrite:
            problems.append(f"--out {out}: exists already; needs a new folder, or --overwrite to replace predictions")
        elif not (out / BOUTS).is_file() or any(path.suffix != ".csv" for path in out.iterdir()):
            problems.append(f"--out {out}: holds more than predictions, --overwrite would delete it all")
    if problems:
        raise RecordingError(problems)
    return loaded


if __name__ == "__main__":
    sys.exit(main())
