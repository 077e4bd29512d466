"""Models as files: safetensors with one header, which says everything needed to build them again. No pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from rbc.device import placed
from rbc.features import imu_width, pose_width
from rbc.network.network import Network
from rbc.signals import Recipe

NETWORK, LABELS = "network.safetensors", "labels"
HEADER_FIELDS = {"recipe", "behaviours", "architecture", "notes"}
HEADER = "rbc"  # a single metadata key: their order in the file is not fixed


@dataclass(frozen=True)
class Model:
    """A network with what it must know about its world."""

    network: Network
    recipe: Recipe
    behaviours: tuple[str, ...]
    architecture: dict
    """The `model` section; hidden_dim is the MLP's."""

    @classmethod
    def new(cls, recipe: Recipe, behaviours: tuple[str, ...], architecture: dict) -> "Model":
        """An untrained model."""
        recipe = replace(recipe, causal=architecture["causal"])
        known = {k: v for k, v in architecture.items() if k != "hidden_dim"}
        network = Network(imu_width(recipe), pose_width(recipe), len(behaviours), **known)
        return cls(placed(network), recipe, behaviours, architecture)


def save_network(model: Model, folder: Path, more: dict[str, Tensor] | None = None, notes: dict | None = None) -> None:
    """Write the model, and further tensors and notes of whoever ships them together."""
    tensors = {f"network.{k}": v for k, v in model.network.state_dict().items()} | (more or {})
    header = {"recipe": asdict(model.recipe), "behaviours": model.behaviours, "architecture": model.architecture,
              "notes": notes or {}}
    save_tensors(tensors, folder / NETWORK, header)


def load_model(folder: Path) -> Model:
    """The model saved in a folder. Raises ValueError where a release with another network has written it."""
    header, tensors = load_tensors(Path(folder) / NETWORK)
    if header.keys() != HEADER_FIELDS:
        raise ValueError(f"{NETWORK} is of another release: its header has {', '.join(sorted(header))}; needs "
                         f"{', '.join(sorted(HEADER_FIELDS))}; train the model again")
    recipe = Recipe(**{k: tuple(v) if isinstance(v, list) else v for k, v in header["recipe"].items()})
    model = Model.new(recipe, tuple(header["behaviours"]), header["architecture"])
    own = {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
    model.network.load_state_dict(own)
    return model


def save_labels(labels: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write the labels (T, C) i1 that training uses, a file a session."""
    (folder / LABELS).mkdir(exist_ok=True)
    for name, y in labels.items():
        np.save(folder / LABELS / f"{name}.npy", y)


def load_labels(folder: Path) -> dict[str, np.ndarray]:
    """What `save_labels` left in a folder: labels (T, C) i1 by session."""
    return {path.stem: np.load(path) for path in sorted((folder / LABELS).glob("*.npy"))}


def save_tensors(tensors: dict[str, Tensor], path: Path, header: dict) -> None:
    clean = {k: v.detach().cpu().contiguous().clone() for k, v in sorted(tensors.items())}
    save_file(clean, path, metadata={HEADER: json.dumps(header, sort_keys=True)})


def load_tensors(path: Path) -> tuple[dict, dict[str, torch.Tensor]]:
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()[HEADER])
        return header, {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 - not a dict
