"""The sections of params.yaml: what each may hold. A key that is unknown or a value out of range is refused."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
StepsIfAny = Annotated[int, Field(ge=0)]  # 0 = the stage hands on what it was given


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Compute(Section):
    threads: Count


class Ontology(Section):
    exclusive: tuple[tuple[str, ...], ...]
    implies: dict[str, tuple[str, ...]]
    aliases: dict[str, str]
    definitions: dict[str, str]


class Data(Section):
    root: str
    behaviours: tuple[str, ...]
    animal_pattern: str
    body_axis: tuple[str, str]
    head_axis: tuple[str, str]
    ontology: Ontology


class Simulate(Section):
    world: Literal["first", "second", "careful"]
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
    prototype_dim: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    causal: bool

    @field_validator("causal")
    def _has_an_encoder(cls, causal: bool, info: ValidationInfo) -> bool:
        if causal and info.data.get("encoder") == "transformer":
            raise ValueError("model.encoder transformer looks ahead; needs conv")
        return causal


class Augment(Section):
    mirror: Share
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
    steps: StepsIfAny
    sessions: Literal["train", "all"]
    weight_decay: NotNegative
    temporal_unit: Annotated[int, Field(ge=0)]
    alpha: Share
    exclusion_frames: Annotated[int, Field(ge=0)]
    mask: Literal["binomial", "continuous", "none"]
    mask_share: Share
    weights: PretrainWeights

    @property
    def learning(self) -> dict:
        """What `rbc.learning.pretraining.pretrain` takes of this section."""
        return self.model_dump(exclude={"sessions"})


class AlignSessionsWeights(Section):
    structure: NotNegative
    supervised: NotNegative
    classes: NotNegative


class AlignSessions(Optimised):
    steps: StepsIfAny
    batch_size: Annotated[int, Field(ge=4)]
    temperature: Positive
    shrinkage: NotNegative
    weights: AlignSessionsWeights


class FinetuneWeights(Section):
    bce: NotNegative
    supervised: NotNegative
    prototype: NotNegative
    consistency: NotNegative


class Finetune(Optimised):
    weight_decay: NotNegative
    noise_std: NotNegative
    balance: Share
    ema: Annotated[float, Field(ge=0, lt=1)]
    label_error_trees: Annotated[int, Field(ge=0)]
    mask_label_errors: bool
    onset_slack_s: NotNegative
    offset_slack_s: NotNegative
    weights: FinetuneWeights
    dwa_temperature: NotNegative

    @field_validator("mask_label_errors")
    def _has_a_list(cls, mask: bool, info: ValidationInfo) -> bool:
        if mask and not info.data.get("label_error_trees"):
            raise ValueError("finetune.mask_label_errors needs finetune.label_error_trees above 0: without trees nothing is found")
        return mask

    @property
    def learning(self) -> dict:
        """What `rbc.learning.finetuning.finetune` takes of this section."""
        return self.model_dump(exclude={"label_error_trees", "mask_label_errors", "onset_slack_s", "offset_slack_s"})


class TrainMlp(Section):
    members: Count
    epochs: Count
    batch_size: Count
    lr: Positive
    weight_decay: NotNegative
    balance: Share
    windows: tuple[Count, ...]
    pseudo_weight: NotNegative
    decoder: Literal["viterbi", "none"]


class Evaluate(Section):
    final: bool
    adapt: bool
    collar_s: NotNegative


class Baselines(Section):
    trees: Count
    windows: tuple[Count, ...]
    max_frames: Count


class Embed(Section):
    points: Count
