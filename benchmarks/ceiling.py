"""ceiling: the same network with the truth of every frame of the training animals as labels.

Only where the world is simulated; else what it writes is empty. Cached by its own inputs.
"""

from pathlib import Path

import numpy as np

from rbc.artifacts import Model
from rbc.experiment import ALIGNED, Experiment
from rbc.inference import encode
from rbc.learning.augment import Augmentation
from rbc.learning.crops import Corpus
from rbc.learning.finetuning import finetune
from rbc.learning.pretraining import fit_scaling
from rbc.learning.ranks import leads, together
from rbc.learning.selftraining import self_train
from rbc.learning.training import Chance
from rbc.outputs import writing
from rbc.params import load
from rbc.recordings.truth import read_truth
from rbc.scoring.known import KNOWN, write_known
from rbc.scoring.labels import scored_rows
from rbc.scoring.splits import Ledger

SECTIONS = ("data", "split", "model", "augment", "ceiling")
WEIGHTS = {"bce": 1.0, "supervised": 0.1, "prototype": 0.1}
MLP_BATCH = 2048  # frames


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    chance = Chance(params.seed)
    truth = read_truth(Path(params.data.root), experiment.sessions)
    with writing(Path("data/ceiling")) as out, together():
        if not truth:
            return
        own = experiment.of("train")
        model = Model.new(experiment.recipe, experiment.behaviours, params.model.model_dump())
        labelled = Corpus(own, model.recipe, Ledger(), experiment.roles, {n: truth[n] for n in own})
        fit_scaling(model.network, labelled)
        checkpoints = experiment.scratch("ceiling", SECTIONS, [ALIGNED])
        settings = params.ceiling
        network, _ = finetune(
            model.network, labelled, None, **settings.model_dump(exclude={"windows", "members", "epochs"}),
            consistency_threshold=1.0, dwa_temperature=None, weights=WEIGHTS,
            augmentation=Augmentation(**params.augment.model_dump()), chance=chance, scratch=checkpoints / "network",
            precision=params.compute.precision, name="ceiling",
        )
        encoded = ((n, encode(network, s, model.recipe)) for n, s in own.items())
        mlp, said, _ = self_train(
            encoded, {n: np.arange(len(s)) for n, s in own.items()}, labelled.labels, {}, experiment.animals,
            hidden_dim=params.model.hidden_dim, causal=model.recipe.causal, windows=settings.windows,
            members=settings.members, n_cycles=1, epochs=settings.epochs, batch_size=MLP_BATCH, lr=settings.lr,
            weight_decay=settings.weight_decay, balance=0.0, negative_focus=settings.negative_focus, pseudo_weight=0.0,
            chance=chance, scratch=checkpoints / "mlp", title="ceiling",
        )
        if not leads():
            return
        for name, labels in experiment.labels("train").items():  # as many frames as the annotators scored
            rows, (probability, there) = said[name].of(scored_rows(labels))
            write_known(out / KNOWN / f"{name}.npz", truth[name][rows], all_labels=probability, there=there)
        for name, session in experiment.of("validation", "test").items():
            e = encode(network, session, model.recipe)
            np.savez(out / f"{name}.npz", truth=truth[name], probability=mlp.probability(e.read), there=e.there)


if __name__ == "__main__":
    main()
