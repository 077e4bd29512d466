"""finetune: the whole network learns behaviours from the training animals' labels, once it has proofread them."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from rbc.artifacts import Model, load_model, save_adapters, save_network
from rbc.experiment import ALIGNED, Experiment
from rbc.features import session_features
from rbc.inference import Encoded, encode
from rbc.learning.augment import Augmentation
from rbc.learning.blind import blind_opinion
from rbc.learning.crops import Corpus
from rbc.learning.doubts import Opinions, edged, proofread, slips
from rbc.learning.finetuning import finetune
from rbc.learning.pretraining import history_rows
from rbc.learning.ranks import leads, together
from rbc.learning.selftraining import self_train
from rbc.learning.training import Chance
from rbc.outputs import write_json, write_table, writing
from rbc.params import load
from rbc.scoring.calibration import folds, mean_of_heads
from rbc.scoring.decision import Rules, cross_fitted
from rbc.scoring.labels import ABSENT, NOT_SCORED, PRESENT, scored_rows, union, with_slack
from rbc.scoring.metrics import scoreboard
from rbc.scoring.splits import Ledger

SECTIONS = ("data", "split", "model", "align_data", "augment", "pretrain", "finetune")
PRETRAINED, ALIGNED_ADAPTERS = Path("data/pretrain"), Path("data/align_sessions")
MLP_BATCH = 2048  # frames


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    settings = params.finetune
    with writing(Path("data/finetune")) as out, together():
        model = load_model(PRETRAINED, ALIGNED_ADAPTERS)
        ledger = Ledger.load(ALIGNED_ADAPTERS / "trained_on.json")
        scratch = experiment.scratch("finetune", SECTIONS, [ALIGNED, PRETRAINED, ALIGNED_ADAPTERS])

        def corpus(labels: Mapping[str, np.ndarray]) -> Corpus:
            return Corpus(experiment.of("train"), model.recipe, model.setups, ledger, experiment.roles, labels)

        learning = settings.learning | {
            "augmentation": Augmentation(**params.augment.model_dump()), "precision": params.compute.precision}
        lessons = {name: with_slack(y, *experiment.slack) for name, y in experiment.lessons.items()}
        judged = folds(len(experiment.taught), settings.proofread.members).any()  # else all members know all labels
        if settings.proofread.steps and judged:
            chance = Chance(params.seed)
            first, _ = finetune(
                copy.deepcopy(model.network), corpus(lessons), None, **learning | {"steps": settings.proofread.steps},
                chance=chance, scratch=scratch / "proofread", name="proofread")
            learnt = opinion_of(replace(model, network=first), lessons, experiment, chance, scratch / "proofread" / "mlp")
            opinions = Opinions(learnt, blind_of(experiment) if settings.proofread.trees else {})
            opinions.write(out)
            asked = edged(experiment.lessons, opinions, experiment.habits)
            lessons = proofread(asked, opinions, experiment.animals)
            write_table(out / "slips.csv", table_of(slips(asked, lessons), experiment))
        everything = Corpus(experiment.seen, model.recipe, model.setups, ledger, experiment.roles)
        network, history = finetune(model.network, corpus(lessons), everything, **learning, chance=Chance(params.seed),
                                    scratch=scratch)
        if not leads():
            return
        model = replace(model, network=network)
        save_network(model, out)
        save_adapters(model, out)
        ledger.save(out / "trained_on.json")
        write_json(Path("metrics/finetune.json"), {"validation": f1_of(model, experiment)})
        write_table(Path("plots/finetune.tsv"), pd.DataFrame(history_rows(history)))


def opinion_of(model: Model, lessons: Mapping[str, np.ndarray], experiment: Experiment, chance: Chance,
               scratch: Path) -> dict[str, np.ndarray]:
    """What is said (T, C) f2 of the labelled frames, NaN elsewhere: the even mean of the network's heads and of members
    that have not learnt from the animal."""
    settings = experiment.params.finetune
    sessions = {name: experiment.sessions[name] for name in lessons}
    rows = {name: np.flatnonzero(scored_rows(union(y))) for name, y in lessons.items()}
    heads = {}

    def encoded() -> Iterator[tuple[str, Encoded]]:
        for name, session in sessions.items():
            e = encode(model.network, session, model.recipe)
            heads[name] = mean_of_heads(e.probability[rows[name]], e.there[rows[name]])
            yield name, e

    _, said, _ = self_train(
        encoded(), rows, {n: y[..., rows[n], :] for n, y in lessons.items()}, {}, experiment.animals,
        **settings.proofread.learning,
        hidden_dim=experiment.params.model.hidden_dim, causal=model.recipe.causal, batch_size=MLP_BATCH, lr=settings.lr,
        weight_decay=settings.weight_decay, balance=settings.balance, negative_focus=settings.negative_focus,
        pseudo_weight=0.0, chance=chance, scratch=scratch, title="proofread",
    )
    opinion = {}
    for name, session in sessions.items():
        members = mean_of_heads(said[name].probability, said[name].there)
        opinion[name] = np.full((len(session), len(experiment.behaviours)), np.nan, np.float16)
        opinion[name][rows[name]] = (heads[name] + members) / 2
    return opinion


def blind_of(experiment: Experiment) -> dict[str, np.ndarray]:
    """What a forest says (T, C) f2 of labelled frames that it has not learnt, as of `blind_opinion`."""
    settings, labels = experiment.params.finetune.proofread, experiment.labels("train")
    features = {name: session_features(experiment.sessions[name], experiment.recipe) for name in labels}
    return blind_opinion(features, labels, rate_hz=experiment.rate_hz, trees=settings.trees, windows=settings.windows,
                         seed=experiment.params.seed)


def f1_of(model: Model, experiment: Experiment) -> dict | None:
    """F1 of the heads on the validation animals, where there are any."""
    held = experiment.labels("validation")
    if not held:
        return None
    encoded = {name: encode(model.network, experiment.sessions[name], model.recipe) for name in held}
    scored = cross_fitted({n: (e.probability, e.there) for n, e in encoded.items()}, held, experiment.animals,
                          Rules(slack=experiment.slack))
    return scoreboard(scored, experiment.behaviours, rate_hz=experiment.rate_hz)["f1"]


def table_of(found: Iterable[tuple[str, int, int, int, int, int]], experiment: Experiment) -> pd.DataFrame:
    """What to look at again: stretches of labels that are heeded no more, or read as something else."""
    rows = [(name, annotator, experiment.behaviours[c], experiment.sessions[name].time[start],
             experiment.sessions[name].time[stop - 1] + 1 / experiment.rate_hz,
             {PRESENT: "present", ABSENT: "absent", NOT_SCORED: "not scored"}[state])
            for name, annotator, c, start, stop, state in found]
    return pd.DataFrame(rows, columns=["session", "annotator", "behaviour", "start_s", "stop_s", "read_as"])


if __name__ == "__main__":
    main()
