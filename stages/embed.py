"""embed: the latent of every session, and what it looks like."""

from pathlib import Path

import numpy as np

from rbc.artifacts import load_model
from rbc.experiment import Experiment
from rbc.figures.embedding import EmbeddingTrack, embedding_page
from rbc.inference import encode
from rbc.outputs import write_json, write_text, writing
from rbc.params import load
from rbc.scoring.neighbours import neighbour_agreement, session_mixing, silhouette

MODEL = Path("data/train_mlp")
SAMPLE = 250  # frames of each session in the figures


def main() -> None:
    params = load()
    experiment = Experiment.open(params)
    model = load_model(MODEL)
    rng = np.random.default_rng(params.seed)
    views = experiment.labels("train") | experiment.labels("validation")  # test labels stay closed
    tracks, latents, labels, names = [], [], [], []
    with writing(Path("data/embed")) as out:
        for name, session in experiment.sessions.items():
            z = encode(model.network, session, model.recipe).latents[2]
            np.save(out / f"{name}.npy", z.astype(np.float16))
            stored = np.load(out / f"{name}.npy", mmap_mode="r")
            seen = views.get(name, np.broadcast_to(np.int8(-1), session.labels.shape))
            tracks.append(EmbeddingTrack(name, session.animal, experiment.roles[name], session.time, stored, seen))
            known = np.flatnonzero((seen >= 0).any(1))
            rows = np.sort(rng.choice(known, min(SAMPLE, len(known)), replace=False))
            latents.append(z[rows])
            labels.append(seen[rows])
            names.append(np.full(len(rows), name))
        z, y, session = np.concatenate(latents), np.concatenate(labels), np.concatenate(names)
        write_json(Path("metrics/embed.json"), {
            "silhouette": silhouette(z, y), "neighbour_agreement": neighbour_agreement(z, y, session),
            "session_mixing": session_mixing(z, session),
        })
        page = embedding_page(tracks, experiment.behaviours, rng=rng, max_points=params.embed.points)
        write_text(Path("plots/embed.html"), page)


if __name__ == "__main__":
    main()
