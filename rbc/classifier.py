"""The model that ships: network, MLP, what adaptation needs, and how probabilities become decisions, in one folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from rbc.artifacts import NETWORK, Model, load_model, load_tensors, save_adapters, save_network
from rbc.inference import VISITOR, ClassMap, adapt, encode
from rbc.learning.mlp import WindowMlp
from rbc.outputs import write_json
from rbc.recordings.session import Session
from rbc.scoring.calibration import mean_of_heads
from rbc.scoring.decision import Decision, Guess

RECIPE = "recipe.json"
MODALITIES = ("imu", "pose")


@dataclass(frozen=True)
class Classifier:
    model: Model
    mlp: WindowMlp
    class_map: ClassMap
    decision: Decision | None = None

    def guess(self, sessions: Mapping[str, Session], adaptive: bool) -> dict[str, Guess]:
        """Probabilities (T, M, C) and heads there (T, M) of sessions never seen; each first adapts without labels
        where `adaptive`, on what its heads say on average before."""
        return {name: self._guess(session, adaptive) for name, session in sessions.items()}

    def _guess(self, session: Session, adaptive: bool) -> Guess:
        network, recipe = self.model.network, self.model.recipe
        encoded = encode(network, session, recipe)
        probability = self.mlp.probability(encoded.read)
        if adaptive:
            adapt(network, self.class_map, session, recipe, mean_of_heads(probability, encoded.there))
            probability = self.mlp.probability(encode(network, session, recipe, VISITOR).read)
            for adapter in network.adapters:  # the next visitor finds nothing of this one
                adapter.welcome(torch.zeros_like(adapter.mean))
        return probability, encoded.there

    def save(self, folder: Path, notes: dict) -> None:
        """Write weights, adapters and recipe.json; notes are numbers worth knowing about the training, and what
        rbc.predict needs: adapt, alignment (the settings of align_data) and feature_range."""
        tensors = {f"mlp.{k}": v for k, v in self.mlp.state_dict().items()}
        tensors |= {f"class_map.{name}": x for name, x in zip(MODALITIES, self.class_map, strict=True)}
        shape = {"windows": list(self.mlp.windows), "members": self.mlp.members}
        save_network(self.model, folder, tensors, {"mlp": shape})
        save_adapters(self.model, folder)
        write_json(folder / RECIPE, {**notes, "behaviours": self.model.behaviours,
                                     "decision": self.decision.as_dict()})

    @classmethod
    def load(cls, folder: Path) -> "Classifier":
        """What `save` wrote; nothing in it can run code."""
        model = load_model(folder)
        header, tensors = load_tensors(Path(folder) / NETWORK)
        shape = header["notes"]["mlp"]
        features = tuple(adapter.mean.numel() for adapter in model.network.adapters)
        mlp = WindowMlp(model.architecture["d_model"], features, len(model.behaviours), tuple(shape["windows"]),
                        model.architecture["hidden_dim"], shape["members"])
        mlp.load_state_dict({k.removeprefix("mlp."): v for k, v in tensors.items() if k.startswith("mlp.")})
        class_map = tensors["class_map.imu"], tensors["class_map.pose"]
        return cls(model, mlp, class_map, Decision.from_dict(read_recipe(folder)["decision"]))


def read_recipe(folder: Path) -> dict:
    """recipe.json: decisions, behaviours and the notes of training."""
    return json.loads((Path(folder) / RECIPE).read_text())
