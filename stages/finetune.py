"""finetune: the whole network learns behaviours from the training animals' labels."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from rbc.artifacts import load_model, save_adapters, save_network
from rbc.experiment import ALIGNED, Experiment
from rbc.inference import encode
from rbc.learning.augment import Augmentation
from rbc.learning.crops import Corpus
from rbc.learning.finetuning import finetune
from rbc.learning.pretraining import history_rows
from rbc.learning.ranks import leads, together
from rbc.learning.training import Chance
from rbc.outputs import write_json, write_table, writing
from rbc.params import load
from rbc.scoring.decision import Rules, cross_fitted
from rbc.scoring.labels import with_slack
from rbc.scoring.metrics import scoreboard
from rbc.scoring.splits import Ledger

SECTIONS = ("data", "split", "model", "align_data", "augment", "pretrain", "finetune")
PRETRAINED, ALIGNED_ADAPTERS = Path("data/pretrain"), Path("data/align_sessions")


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    chance = Chance(params.seed)
    settings = params.finetune.model_dump(exclude={"onset_slack_s", "offset_slack_s", "dwa", "dwa_temperature"})
    with writing(Path("data/finetune")) as out, together():
        model = load_model(PRETRAINED, ALIGNED_ADAPTERS)
        views = {name: with_slack(y, *experiment.slack) for name, y in experiment.lessons.items()}
        ledger = Ledger.load(ALIGNED_ADAPTERS / "trained_on.json")
        labelled = Corpus(experiment.of("train"), model.recipe, model.setups, ledger, experiment.roles, views)
        everything = Corpus(experiment.seen, model.recipe, model.setups, ledger, experiment.roles)
        network, history = finetune(
            model.network, labelled, everything, **settings,
            dwa_temperature=params.finetune.dwa_temperature if params.finetune.dwa else None,
            augmentation=Augmentation(**params.augment.model_dump()), chance=chance, precision=params.compute.precision,
            scratch=experiment.scratch("finetune", SECTIONS, [ALIGNED, PRETRAINED, ALIGNED_ADAPTERS]),
        )
        if not leads():
            return
        model = replace(model, network=network)
        save_network(model, out)
        save_adapters(model, out)
        ledger.save(out / "trained_on.json")
        encoded = {name: encode(model.network, s, model.recipe) for name, s in experiment.of("validation").items()}
        scored = cross_fitted(
            {n: (e.probability, e.there) for n, e in encoded.items()}, experiment.labels("validation"),
            experiment.animals, Rules(slack=experiment.slack),
        )
        board = scoreboard(scored, experiment.behaviours, rate_hz=experiment.rate_hz)
        write_json(Path("metrics/finetune.json"), {"validation": board["f1"]})
        write_table(Path("plots/finetune.tsv"), pd.DataFrame(history_rows(history)))


if __name__ == "__main__":
    main()
