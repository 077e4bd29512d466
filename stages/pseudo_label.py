"""pseudo_label: what a random forest says of the training animals' unlabelled frames, beside the network."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from rbc.artifacts import load_labels, load_model
from rbc.experiment import Experiment
from rbc.features import session_features
from rbc.inference import encode, side_by_side
from rbc.learning.pseudo import both_say, stride_of, teacher_probability
from rbc.mirror import has_mirror, mirrored_track
from rbc.outputs import write_json, writing
from rbc.params import load
from rbc.scoring.forest import Forest
from rbc.scoring.labels import NOT_SCORED, unscored
from rbc.scoring.summary import macro_scores

FINETUNED = Path("data/finetune")


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    model = load_model(FINETUNED)
    views = load_labels(FINETUNED)
    own, held = experiment.of("train"), experiment.labels("validation")
    asked = {n: experiment.sessions[n] for n in (*own, *held)}
    stride = stride_of(sum(map(len, own.values())))
    rows = {n: np.arange(0, len(s), stride) for n, s in asked.items()}
    rows = {n: r[unscored(views, n, len(asked[n]))[r]] for n, r in rows.items()}
    with writing(Path("data/pseudo_label")) as out:
        lessons = [(session_features(own[n], experiment.recipe), y) for n, y in views.items()]
        if params.augment.mirror and has_mirror(experiment.recipe):
            lessons += [(session_features(own[n], experiment.recipe, mirror=True),
                         mirrored_track(y, experiment.behaviours, NOT_SCORED)) for n, y in views.items()]
        grown = Forest.grow(lessons, ["every"] * len(lessons), **params.pseudo_label.model_dump(), seed=params.seed)

        def said(name: str) -> np.ndarray:
            return grown.probability(session_features(asked[name], experiment.recipe), rows[name])

        asking = tqdm(side_by_side(said, asked), desc="forest", unit="session", total=len(asked))
        forest = dict(zip(asked, asking, strict=True))
        for name, session in own.items():
            whole = np.full((len(session), len(experiment.behaviours)), np.nan, np.float16)
            whole[rows[name]] = forest[name]
            np.savez(out / f"{name}.npz", forest=whole)
        heads = {n: encode(model.network, asked[n], model.recipe).at(rows[n]) for n in held}
        network = {n: teacher_probability(e.probability, e.there) for n, e in heads.items()}
        both = {n: both_say(e.probability, e.there, forest[n]) for n, e in heads.items()}
        write_json(Path("metrics/pseudo_label.json"), {
            "validation_average_precision": {
                name: macro_scores(probability, {n: y[rows[n]] for n, y in held.items()})["macro_ap"]
                for name, probability in {"network": network, "forest": forest, "both": both}.items()
            } if held else None,
        })


if __name__ == "__main__":
    main()
