"""The methods of the comparison, and which settings of params.yaml each of them uses."""

from benchmarks.peers.methods import METHODS
from rbc.params import Params, changed

RBC = "rbc"
VARIANTS = {  # method: what is changed of params.yaml
    "rbc without mirror": {"augment": {"mirror": 0.0}},
    "rbc with pretrain": {"pretrain": {"steps": 300}},
    "rbc with pretrain and align_sessions": {"pretrain": {"steps": 300}, "align_sessions": {"steps": 20}},
    "rbc without pseudo_label": {"train_mlp": {"pseudo_weight": 0.0}},
}
ALWAYS = "always_present"
CHANCE = (ALWAYS, "validity_only")
"""What a score stands beside; nobody competes with them."""
PEERS = (ALWAYS, *METHODS)
OPTIONAL = ("gradient_boosting",)  # by name only: behind the other trees
SCREENED = (RBC, "raw_trees", "random_forest")
USUAL_MINUTES = {RBC: 5.0, ALWAYS: 0.1}
"""Of a fit that nobody has timed yet; 1.5 of methods that are not here."""
STAGES = ("pretrain", "align_sessions", "finetune", "pseudo_label", "train_mlp")
NOT_OF_RBC = {"data", "simulate", "align_data", "evaluate", "baselines", "embed"}
"""Sections of params.yaml that change nothing that rbc learns from aligned recordings, nor what it predicts."""


def is_rbc(method: str) -> bool:
    return method == RBC or method in VARIANTS


def settings_of(params: Params, method: str) -> Params:
    """Settings of a data set as the method has them: changed where it is a variant of rbc."""
    return changed(params, VARIANTS[method]) if method in VARIANTS else params


def used_settings(params: Params, method: str) -> dict:
    """The settings, nested, that change a row of the method, those of the recordings and of their alignment left out."""
    if is_rbc(method):
        own = settings_of(params, method).model_dump(mode="json", exclude=NOT_OF_RBC)
        return own | {"evaluate": {"adapt": params.evaluate.adapt}}  # train_mlp fits decisions on what it says
    return params.model_dump(mode="json", include={
        "seed": True, "split": True, "finetune": {"onset_slack_s", "offset_slack_s"},
        "train_mlp": {"decoder"}, "baselines": {"windows"},
    })  # fmt: skip
