"""Typed, strict view of params.yaml; only this module knows YAML. `python -m rbc.params FILE` prints `-S` arguments."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from rbc.overlays import as_arguments, merged

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class ParamsError(ValueError):
    """A setting that is unknown, missing or out of range; lists every one."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Compute(Section):
    threads: Count
    precision: Literal["float32", "bfloat16"]


class Ontology(Section):
    exclusive: tuple[tuple[str, ...], ...]
    implies: dict[str, tuple[str, ...]]
    aliases: dict[str, str]
    definitions: dict[str, str]


class Data(Section):
    root: str
    behaviours: tuple[str, ...]
    annotators: Literal["consensus", "each"]
    animal_pattern: str
    body_axis: tuple[str, str]
    head_axis: tuple[str, str]
    ontology: Ontology


class Simulate(Section):
    world: Literal["first", "second"]
    scale: Literal["tiny", "default", "large"]
    seed: int


class Split(Section):
    by: Literal["animal", "session"]
    validation: tuple[str, ...]
    test: tuple[str, ...]


class AlignData(Section):
    rate_hz: Positive
    min_likelihood: Share
    max_gap_s: NotNegative
    min_clock_correlation: Share


class Model(Section):
    encoder: Literal["conv", "transformer"]
    d_model: Count
    nhead: Count
    blocks: Count
    hidden_dim: Count
    adapter_rank: Annotated[int, Field(ge=0, le=4)]
    prototype_dim: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    causal: bool

    @field_validator("causal")
    def _has_an_encoder(cls, causal: bool, info: ValidationInfo) -> bool:
        if causal and info.data.get("encoder") == "transformer":
            raise ValueError("model.encoder transformer looks ahead; needs conv")
        return causal


class Augment(Section):
    mounting_deg: Annotated[float, Field(ge=0, le=180)]
    camera_scale: Annotated[float, Field(ge=0, lt=1)]
    camera_shear: Annotated[float, Field(ge=0, lt=1)]
    signal_noise: NotNegative
    time_warp: Annotated[float, Field(ge=0, lt=0.5)]
    keypoint_dropout: Share
    modality_dropout: Share


class Optimised(Section):
    steps: Count
    batch_size: Annotated[int, Field(ge=2)]
    crop_frames: Annotated[int, Field(ge=64, multiple_of=64)]
    lr: Positive


class PretrainWeights(Section):
    contrast: NotNegative
    cross_modal: NotNegative
    reconstruct: NotNegative
    programmed: NotNegative


class Pretrain(Optimised):
    sessions: Literal["train", "all"]
    weight_decay: NotNegative
    temporal_unit: Annotated[int, Field(ge=0)]
    alpha: Share
    exclusion_frames: Annotated[int, Field(ge=0)]
    mask: Literal["binomial", "continuous", "none"]
    mask_share: Share
    weights: PretrainWeights


class AlignSessionsWeights(Section):
    structure: NotNegative
    supervised: NotNegative
    classes: NotNegative


class AlignSessions(Optimised):
    batch_size: Annotated[int, Field(ge=4)]
    temperature: Positive
    shrinkage: NotNegative
    weights: AlignSessionsWeights


class FinetuneWeights(Section):
    bce: NotNegative
    supervised: NotNegative
    prototype: NotNegative
    consistency: NotNegative


class Supervised(Optimised):
    weight_decay: NotNegative
    noise_std: NotNegative
    negative_focus: NotNegative
    balance: Share
    ema: Annotated[float, Field(ge=0, lt=1)]


class Finetune(Supervised):
    onset_slack_s: NotNegative
    offset_slack_s: NotNegative
    bootstrap: Share
    consistency_threshold: Share
    weights: FinetuneWeights
    mixup: NotNegative
    dwa: bool
    dwa_temperature: Positive


class PseudoLabel(Section):
    threshold: Share
    negative_quantile: Share
    max_share: Positive
    negative_weight: Share


class TrainMlp(Section):
    n_cycles: Count
    members: Count
    epochs: Count
    batch_size: Count
    lr: Positive
    weight_decay: NotNegative
    balance: Share
    windows: tuple[Count, ...]
    pseudo_weight: NotNegative
    decoder: Literal["viterbi", "smooth", "none"]
    smooth_window: Count


class Evaluate(Section):
    final: bool
    adapt: bool
    collar_s: NotNegative


class Baselines(Section):
    trees: Count
    windows: tuple[Count, ...]
    max_frames: Count


class Ceiling(Supervised):
    windows: tuple[Count, ...]
    members: Count
    epochs: Count


class Embed(Section):
    points: Count


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
    pseudo_label: PseudoLabel
    train_mlp: TrainMlp
    evaluate: Evaluate
    baselines: Baselines
    ceiling: Ceiling
    embed: Embed


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
    return f"{place}: {problem['msg']}; seen {problem['input']!r}"


def _known(place: tuple) -> list[str]:
    """Names of the fields of the section at `place`."""
    model = Params
    for name in place:
        model = model.model_fields[name].annotation
    return list(model.model_fields)


if __name__ == "__main__":
    print(*(argument for path in sys.argv[1:] for argument in as_arguments(yaml.safe_load(Path(path).read_text()))))
