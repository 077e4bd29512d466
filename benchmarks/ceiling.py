"""What the same network scores if every frame of the training animals carries the truth: `python -m benchmarks.ceiling`.

Needs data/align_data of simulated recordings (`dvc repro align_data`). Learns with the settings of finetune and
train_mlp, without pretraining and pseudo labels, and prints macro F1 and AP on the validation animals against the truth;
decisions are fitted to the truth as well, cross-fitted. Writes report/ceiling/scores.json.
"""

import sys
from pathlib import Path

import numpy as np

from rbc.artifacts import Model
from rbc.evaluation import Judge
from rbc.experiment import ALIGNED, Experiment
from rbc.inference import encode
from rbc.learning.augment import Augmentation
from rbc.learning.crops import Corpus
from rbc.learning.finetuning import finetune
from rbc.learning.pretraining import fit_scaling
from rbc.learning.ranks import leads, together
from rbc.learning.ensemble import train_ensemble
from rbc.learning.training import Chance
from rbc.outputs import write_json, writing
from rbc.params import load
from rbc.recordings.truth import load_truth
from rbc.scoring.decision import Rules
from rbc.scoring.labels import scored_rows
from rbc.scoring.splits import Ledger, folds

SECTIONS = ("data", "split", "model", "align_data", "augment", "finetune", "train_mlp")
WEIGHTS = {"bce": 1.0, "supervised": 0.1, "prototype": 0.1}
OUT = Path("report/ceiling")


def main() -> int:
    """0 once the scores are printed; 1 where the recordings have no truth or nobody to score."""
    params = load()
    experiment = Experiment.open(params)
    chance = Chance(params.seed)
    truth = load_truth(ALIGNED, experiment.sessions)
    held = {name: truth[name] for name in experiment.labels("validation") if name in truth}
    if not held:
        print("the ceiling needs simulated recordings, with labels of a validation animal", file=sys.stderr)
        return 1
    with writing(OUT) as out, together():
        own = experiment.of("train")
        model = Model.new(experiment.recipe, experiment.behaviours, params.model.model_dump())
        labelled = Corpus(own, model.recipe, Ledger(), experiment.roles, {n: truth[n] for n in own})
        fit_scaling(model.network, labelled)
        checkpoints = experiment.scratch(OUT.name, SECTIONS, [ALIGNED])
        network, _ = finetune(
            model.network, labelled, None, **params.finetune.learning | {"weights": WEIGHTS, "dwa_temperature": 0.0},
            augmentation=Augmentation(**params.augment.model_dump()), chance=chance, scratch=checkpoints / "network",
            name=OUT.name,
        )
        encoded = ((n, encode(network, s, model.recipe)) for n, s in own.items())
        settings = params.train_mlp.model_dump(exclude={"decoder"})
        mlp, predictions, _ = train_ensemble(
            encoded, {n: np.arange(len(s)) for n, s in own.items()}, labelled.labels, {}, experiment.animals,
            **settings | {"balance": 0.0, "pseudo_weight": 0.0},
            hidden_dim=params.model.hidden_dim, causal=model.recipe.causal,
            chance=chance, scratch=checkpoints / "mlp", title=OUT.name,
        )
        if not leads():
            return 0
        out_of_fold = {}
        judged = folds(len({experiment.animals[n] for n in own}), settings["members"]).any()
        for name, labels in experiment.labels("train").items() if judged else ():  # where annotators scored, no more
            rows, found = predictions[name].of(scored_rows(labels))
            out_of_fold[name] = found, truth[name][rows]
        judge = Judge(held, held, experiment.animals, experiment.behaviours, experiment.rate_hz,
                      params.evaluate.collar_s, Rules(params.train_mlp.decoder))
        encoded = {n: encode(network, experiment.sessions[n], model.recipe) for n in held}
        board = judge.board(judge.decide({n: (mlp.probability(e.read), e.there) for n, e in encoded.items()}, out_of_fold))
        write_json(out / "scores.json", {key: board[key] for key in ("f1", "ap", "interval")})
        print(f"ceiling, against the truth of {len(held)} validation sessions: macro F1 {board['f1']['macro']:.3f}, "
              f"macro AP {board['ap']['macro']:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
