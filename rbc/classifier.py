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

    def guess(self, sessions: Mapping[str, Session]) -> dict[str, Guess]:
        """Probabilities (T, M, C) and heads there (T, M) of sessions never seen."""
        return {name: self._guess(session) for name, session in sessions.items()}

    def adapted(self, sessions: Mapping[str, Session], guesses: Mapping[str, Guess]) -> dict[str, Guess]:
        """Guesses after each session has adapted without labels, on what its heads said on average in its guess."""
        return {name: self._adapted(session, guesses[name]) for name, session in sessions.items()}

    def headline(self, sessions: Mapping[str, Session], adapt: bool) -> dict[str, Guess]:
        """The guesses that count: adapted ones where `adapt`."""
        guesses = self.guess(sessions)
        return self.adapted(sessions, guesses) if adapt else guesses

    def _guess(self, session: Session, row: int = 0) -> Guess:
        encoded = encode(self.model.network, session, self.model.recipe, row)
        return self.mlp.probability(encoded.read), encoded.there

    def _adapted(self, session: Session, guess: Guess) -> Guess:
        network = self.model.network
        adapt(network, self.class_map, session, self.model.recipe, mean_of_heads(*guess))
        guess = self._guess(session, VISITOR)
        for adapter in network.adapters:  # the next visitor finds nothing of this one
            adapter.welcome(torch.zeros_like(adapter.mean))
        return guess

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
