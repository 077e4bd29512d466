"""align_data: every recording checked, put on one clock at one rate, with body axes, validity and labels."""

from pathlib import Path

from rbc.outputs import write_json, write_table, writing
from rbc.params import load
from rbc.recordings.preparation import align_all


def main() -> None:
    params = load()
    data, settings = params.data, params.align_data
    with writing(Path("data/align_data")) as out:
        table = align_all(
            Path(data.root), out, behaviours=data.behaviours, animal_pattern=data.animal_pattern,
            body_axis=data.body_axis, head_axis=data.head_axis, rate_hz=settings.rate_hz,
            min_likelihood=settings.min_likelihood, max_gap_s=settings.max_gap_s,
            min_clock_correlation=settings.min_clock_correlation,
        )
    write_table(Path("plots/align_data.csv"), table)
    frames = table["frames"].sum()
    write_json(Path("metrics/align_data.json"), {
        "sessions": int((table["frames"] > 0).sum()), "animals": table["animal"].nunique(),
        "minutes": frames / settings.rate_hz / 60,
        "labelled_minutes": table["labelled_frames"].sum() / settings.rate_hz / 60,
        "clocks": {state: int((table["clock"] == state).sum()) for state in ("accepted", "refused", "shared", "none")},
        "missing": {m: (table[f"missing_{m}"] * table["frames"]).sum() / frames for m in ("imu", "pose")},
    })  # fmt: skip


if __name__ == "__main__":
    main()
