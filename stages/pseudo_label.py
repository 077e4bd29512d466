"""pseudo_label: the network's soft labels for the training animals' unlabelled frames."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from rbc.artifacts import load_labels, load_model
from rbc.experiment import Experiment
from rbc.inference import encode
from rbc.learning.pseudo import confident_labels, soft_labels, stride_of, teacher_probability
from rbc.outputs import write_json, writing
from rbc.params import load
from rbc.scoring.labels import NOT_SCORED

FINETUNED = Path("data/finetune")


def main() -> None:
    experiment = Experiment.open(load())
    model, labels = load_model(FINETUNED), load_labels(FINETUNED)
    own, held = experiment.of("train"), experiment.labels("validation")
    stride = stride_of(sum(map(len, own.values())))
    with writing(Path("data/pseudo_label")) as out:
        used = []
        for name, session in tqdm(own.items(), desc="pseudo_label", unit="session"):
            e = encode(model.network, session, model.recipe)
            soft = soft_labels(e.probability, e.there, labels.get(name))
            soft[np.arange(len(soft)) % stride != 0] = np.nan
            np.savez(out / f"{name}.npz", soft_labels=soft.astype(np.float16))
            used.append(soft[np.isfinite(soft).all(1)])
        confident = confident_labels(np.concatenate(used)) != NOT_SCORED
        write_json(Path("metrics/pseudo_label.json"), {
            "frames": len(confident), "confident": float(confident.mean()) if len(confident) else None,
            "validation": on_validation(model, experiment, held),
        })


def on_validation(model, experiment: Experiment, held: dict[str, np.ndarray]) -> dict | None:
    """Shares of the validation animals' labels of which the network is confident, and of these that it has right."""
    if not held:
        return None
    encoded = {name: encode(model.network, experiment.sessions[name], model.recipe) for name in held}
    found = np.concatenate([confident_labels(teacher_probability(e.probability, e.there)) for e in encoded.values()])
    truth = np.concatenate(list(held.values()))
    scored, confident = truth != NOT_SCORED, found != NOT_SCORED
    return {"confident": float(confident[scored].mean()), "right": float((found == truth)[scored & confident].mean())}


if __name__ == "__main__":
    main()
