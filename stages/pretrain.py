"""pretrain: representations from the training animals' unlabelled signals."""

from pathlib import Path

import pandas as pd

from rbc.artifacts import Model, save_network
from rbc.experiment import ALIGNED, Experiment
from rbc.learning.augment import Augmentation
from rbc.learning.crops import Corpus
from rbc.learning.pretraining import fit_scaling, pretrain
from rbc.learning.ranks import leads, together
from rbc.learning.training import Chance, history_rows
from rbc.outputs import write_table, writing
from rbc.params import load
from rbc.scoring.splits import Ledger

SECTIONS = ("data", "split", "model", "augment", "pretrain")


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    chance = Chance(params.seed)
    with writing(Path("data/pretrain")) as out, together():
        model = Model.new(experiment.recipe, experiment.behaviours, params.model.model_dump())
        corpus = Corpus(experiment.seen, model.recipe, Ledger(), experiment.roles)
        fit_scaling(model.network, corpus)
        settings = params.pretrain.learning
        history = pretrain(
            model.network, corpus, **settings, augmentation=Augmentation(**params.augment.model_dump()), chance=chance,
            scratch=experiment.scratch("pretrain", SECTIONS, [ALIGNED]),
        )
        if not leads():
            return
        save_network(model, out)
        corpus.ledger.save(out / "trained_on.json")
        columns = ["epoch", "split", "loss", *settings["weights"]]  # of an empty table too
        write_table(Path("plots/pretrain.tsv"), pd.DataFrame(history_rows(history), columns=columns))


if __name__ == "__main__":
    main()
