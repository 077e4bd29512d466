"""pseudo_label: soft labels for the training animals' unlabelled frames."""

from pathlib import Path

import numpy as np

from rbc.artifacts import load_model
from rbc.experiment import Experiment
from rbc.inference import encode
from rbc.learning.pseudo import agreement, relabel
from rbc.outputs import write_json, writing
from rbc.params import load

FINETUNED = Path("data/finetune")


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    model = load_model(FINETUNED)
    own, held = experiment.of("train"), experiment.labels("validation")
    encoded = {n: encode(model.network, s, model.recipe, model.row(s.setup)) for n, s in own.items()}
    judged = {n: encode(model.network, experiment.sessions[n], model.recipe) for n in held}
    with writing(Path("data/pseudo_label")) as out:
        guessed = relabel({n: e.probability for n, e in encoded.items()}, encoded, experiment.labels("train"),
                          **params.pseudo_label.model_dump(exclude={"negative_weight"}), judged=judged)
        for name in own:
            np.savez(out / f"{name}.npz", soft=guessed[name][0], state=guessed[name][1])
        state = np.concatenate([guessed[name][1] for name in own])
        checked = agreement(np.concatenate([guessed[n][1] for n in held]), np.concatenate(list(held.values())))
        write_json(Path("metrics/pseudo_label.json"), {
            "coverage": float((state >= 0).mean()),
            "accepted": {b: float((state[:, c] == 1).mean()) for c, b in enumerate(experiment.behaviours)},
            "validation_agreement": checked,
        })


if __name__ == "__main__":
    main()
