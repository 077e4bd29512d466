"""A multi-stage temporal convolution network, learnt from labels alone: MS-TCN (Farha & Gall, arXiv 1903.01945) with a
sigmoid per behaviour, as DLC2Action has it.

B crops, T frames, I inputs, C behaviours, S stages.
"""

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from benchmarks.peers.training_data import Predictions, Predictor, Tracks, TrainingData, ensemble
from benchmarks.peers.scaling import fit_scaling
from rbc.network.encoder import ConvBlock
from rbc.scoring.labels import NOT_SCORED, PRESENT, scored_rows

LAYERS, DROPOUT = 7, 0.2  # seven layers see 127 frames to each side, in each stage
CHANNELS = 64, 32, 32  # of each stage; the paper has 64 in all, which takes twice as long
STEPS, BATCH, CROP, LR, WEIGHT_DECAY = 900, 4, 256, 2e-3, 1e-4
NOISE = 0.1  # standard deviations of each feature
SMOOTHING, TRUNCATION = 0.15, 4.0  # the paper's lambda and tau


class MultiStageNetwork(nn.Module):
    """Logits (S, B, T, C) of all stages: the first reads features (B, T, I), each other the one's before it. Layers are
    the paper's, normalised over channels, without which they take many more steps to learn."""

    def __init__(self, inputs: int, behaviours: int):
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Linear(behaviours if stage else inputs, channels),
                          *(ConvBlock(channels, 2**i, DROPOUT, causal=False) for i in range(LAYERS)),
                          nn.LayerNorm(channels), nn.Linear(channels, behaviours))
            for stage, channels in enumerate(CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        logits = [self.stages[0](x)]
        for stage in self.stages[1:]:
            logits.append(stage(logits[-1].sigmoid()))
        return torch.stack(logits)


def stages_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross entropy of logits (S, B, T, C) against labels (B, T, C) where these are scored, and the truncated
    square of the steps of their log probabilities, present and absent (the paper's equations 7 to 12)."""
    scored = (labels != NOT_SCORED).expand_as(logits)
    target = (labels == PRESENT).to(logits.dtype).expand_as(logits)
    wrong = nnf.binary_cross_entropy_with_logits(logits[scored], target[scored])
    log = torch.stack([nnf.logsigmoid(logits), nnf.logsigmoid(-logits)])
    steps = (log[..., 1:, :] - log[..., :-1, :].detach()).abs().clamp(max=TRUNCATION)
    return wrong + SMOOTHING * steps.square().mean()


def tcn(data: TrainingData, held: Tracks) -> Predictions:
    """Probabilities by an ensemble of multi-stage networks on standardised features."""
    scaled = fit_scaling(data.features)
    tables = {name: scaled(data.features[name]) for name in data.labels}
    return ensemble(data, tables, ((name, scaled(x)) for name, x in held.items()),
                    lambda part: _network(part, tables))


def _network(data: TrainingData, tables: Tracks) -> Predictor:
    rng, crops = np.random.default_rng(data.seed), Crops(data.labels, tables)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(data.seed)  # weights and dropout know only the global one
        network = MultiStageNetwork(crops.x[0].shape[1], crops.labels[0].shape[1])
        optimiser = torch.optim.AdamW(network.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LR, total_steps=STEPS, pct_start=0.1)
        for _ in range(STEPS):
            x, labels = crops.draw(rng)
            loss = stages_loss(network(x + NOISE * torch.randn(x.shape)), labels)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    network.eval()

    @torch.no_grad()
    def predict(x: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(x)[None])[-1, 0].sigmoid().numpy()

    return predict


class Crops:
    """Stretches of CROP frames around scored ones, half of them around bouts of any behaviour, rare or not."""

    def __init__(self, labels: Tracks, tables: Tracks):
        labelled = [name for name, y in labels.items() if (y != NOT_SCORED).any()]
        longer = [max(CROP - len(labels[name]), 0) for name in labelled]
        self.x = [torch.from_numpy(np.pad(tables[n], ((0, k), (0, 0)))) for n, k in zip(labelled, longer, strict=True)]
        self.labels = [torch.from_numpy(np.pad(labels[n], ((0, k), (0, 0)), constant_values=NOT_SCORED))
                       for n, k in zip(labelled, longer, strict=True)]
        where = [np.stack([np.full(len(labels[n]), i), np.arange(len(labels[n]))], 1) for i, n in enumerate(labelled)]
        place = np.concatenate(where)  # (all T, 2) session and frame
        y = np.concatenate([labels[n] for n in labelled])
        self.scored = place[scored_rows(y)]
        self.present = [place[column == PRESENT] for column in y.T if (column == PRESENT).any()]

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """BATCH features (B, CROP, I) and labels (B, CROP, C)."""
        pieces = []
        for i in range(BATCH):
            places = self.present[rng.integers(len(self.present))] if i % 2 and self.present else self.scored
            session, frame = places[rng.integers(len(places))]
            start = int(np.clip(frame - rng.integers(CROP), 0, len(self.x[session]) - CROP))
            pieces.append([of[session][start : start + CROP] for of in (self.x, self.labels)])
        x, labels = zip(*pieces, strict=True)
        return torch.stack(x), torch.stack(labels)
