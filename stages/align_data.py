"""align_data: every recording checked, put on one clock at one rate, with body axes, validity and labels."""

from pathlib import Path

from rbc.figures.quality import quality_page
from rbc.outputs import write_json, write_table, write_text, writing
from rbc.params import load
from rbc.recordings.ontology import Ontology
from rbc.recordings.origin import save_origin
from rbc.recordings.preparation import align_all
from rbc.recordings.session import load_sessions
from rbc.recordings.truth import save_truth
from rbc.scoring.annotators import agreement, means

CLOCKS = ("accepted", "refused", "shared", "none")


def main() -> None:
    params = load()
    data, settings = params.data, params.align_data
    with writing(Path("data/align_data")) as out:
        table = align_all(
            Path(data.root), out, behaviours=data.behaviours, animal_pattern=data.animal_pattern,
            body_axis=data.body_axis, head_axis=data.head_axis, ontology=Ontology(**data.ontology.model_dump()),
            rate_hz=settings.rate_hz, min_likelihood=settings.min_likelihood, max_gap_s=settings.max_gap_s,
            min_clock_correlation=settings.min_clock_correlation,
        )
        sessions = load_sessions(out)
        save_truth(Path(data.root), sessions, out)
        save_origin(Path(data.root), out)
        several = {n: s for n, s in sessions.items() if len(s.annotator_names) > 1}
        people = agreement(
            {n: dict(zip(s.annotator_names, s.annotators, strict=True)) for n, s in several.items()},
            next(iter(several.values())).behaviours if several else (),
        )
    write_table(Path("plots/align_data.csv"), table)
    write_table(Path("plots/align_data_annotators.csv"), people)
    write_text(Path("plots/align_data.html"), quality_page(table, data.ontology.definitions))
    frames = table["frames"].sum()
    write_json(Path("metrics/align_data.json"), {
        "sessions": int((table["frames"] > 0).sum()), "animals": table["animal"].nunique(),
        "minutes": frames / settings.rate_hz / 60,
        "labelled_minutes": table["labelled_frames"].sum() / settings.rate_hz / 60,
        "conflict_minutes": table["conflict_frames"].sum() / settings.rate_hz / 60,
        "clocks": {state: int((table["clock"] == state).sum()) for state in CLOCKS},
        "missing": {m: (table[f"missing_{m}"] * table["frames"]).sum() / frames for m in ("imu", "pose")},
        "annotators": means(people),
    })  # fmt: skip


if __name__ == "__main__":
    main()
