import os

import tiny
import torch
from torch import nn

from benchmarks import gpu
from rbc import classifier as module_of_classifier
from rbc import inference
from rbc.classifier import Classifier
from rbc.learning.mlp import WindowMlp


def test_chunks_are_as_long_as_asked_for_inside_alone():
    before = inference.CHUNK
    with gpu.with_chunks(64):
        assert inference.CHUNK == module_of_classifier.CHUNK == 64
    assert inference.CHUNK == module_of_classifier.CHUNK == before


def test_what_is_said_does_not_depend_on_the_length_of_chunks():
    model = tiny.model()
    made = WindowMlp(8, tuple(a.mean.numel() for a in model.network.adapters), 3, (4,), hidden_dim=6, members=2)
    classifier, sessions = Classifier(model, made, (torch.zeros(0), torch.zeros(0))), {"": tiny.session(frames=200)}
    whole = classifier.guess(sessions)[""][0]
    with gpu.with_chunks(64):
        torch.testing.assert_close(classifier.guess(sessions)[""][0], whole, atol=1e-5, rtol=0)


def test_operations_are_those_of_a_step():
    layer, x = nn.Linear(8, 2), torch.ones(3, 8)

    def train(steps: int, _) -> None:
        for _ in range(steps):
            layer(x).sum().backward()

    assert gpu.floating_operations(train) == 2 * 3 * 8 * 2 * 2  # forward, and for the weights' gradient


def test_every_measurement_has_a_process_of_its_own():
    assert gpu.alone(os.getpid) != os.getpid()
