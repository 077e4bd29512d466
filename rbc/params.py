"""Typed, strict view of params.yaml; only this module knows YAML. `python -m rbc.params FILE` prints `-S` arguments."""

import sys
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError, ValidationInfo, field_validator

from rbc.overlays import as_arguments, merged
from rbc.sections import (
    AlignData, AlignSessions, Augment, Baselines, Compute, Data, Embed, Evaluate, Finetune, Model, Pretrain,
    Section, Simulate, Split, TrainMlp,
)


class ParamsError(ValueError):
    """A setting that is unknown, missing or out of range; lists every one."""


class Params(Section):
    seed: int
    compute: Compute
    data: Data
    simulate: Simulate
    split: Split
    model: Model
    augment: Augment
    align_data: AlignData
    pretrain: Pretrain
    align_sessions: AlignSessions
    finetune: Finetune
    train_mlp: TrainMlp
    evaluate: Evaluate
    baselines: Baselines
    embed: Embed

    @field_validator("train_mlp")
    def _leaves_somebody_to_judge(cls, train_mlp: TrainMlp, info: ValidationInfo) -> TrainMlp:
        split = info.data.get("split")
        if split and not split.validation and train_mlp.members == 1:
            raise ValueError("train_mlp.members is 1, which leaves no animal out, and split.validation names nobody: decisions "
                             "are fitted on animals that were left out; needs 2 members or more, or a validation animal")
        return train_mlp


def load(path: str | Path = "params.yaml") -> Params:
    """Settings of this run. Raises ParamsError naming every field that is unknown, missing or out of range."""
    return _valid(yaml.safe_load(Path(path).read_text()), str(path))


def save(params: Params, path: str | Path) -> None:
    """Write settings for `load`; the folder is made where it is not there."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False))


def changed(params: Params, *overlays: Mapping | Path) -> Params:
    """The settings with those of the overlays, nested or in files of params/, in their places. Raises ParamsError."""
    values = params.model_dump(mode="json")
    for overlay in overlays:
        values = merged(values, overlay if isinstance(overlay, Mapping) else yaml.safe_load(overlay.read_text()))
    return _valid(values, ", ".join(map(str, overlays)))


def _valid(raw: dict, source: str) -> Params:
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise ParamsError("\n".join([f"{source}:", *(f"  {line}" for line in map(_explain, error.errors()))])) from None


def _explain(problem: dict) -> str:
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"{place}: unknown; known here: {', '.join(_known(problem['loc'][:-1]))}"
    if problem["type"] == "missing":
        return f"{place}: missing"
    seen = "" if isinstance(problem["input"], Mapping) else f"; seen {problem['input']!r}"
    return f"{place}: {problem['msg']}{seen}"


def _known(place: tuple) -> list[str]:
    """Names of the fields of the section at `place`."""
    model = Params
    for name in place:
        model = model.model_fields[name].annotation
    return list(model.model_fields)


if __name__ == "__main__":
    print(*(argument for path in sys.argv[1:] for argument in as_arguments(yaml.safe_load(Path(path).read_text()))))
