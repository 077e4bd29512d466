"""`python -m rbc.simulate`: write the simulated recordings of params.yaml's `simulate` section to data/raw."""

from pathlib import Path

from rbc.outputs import writing
from rbc.params import load
from rbc.simulate.dataset import simulate

if __name__ == "__main__":
    params = load().simulate
    with writing(Path("data/raw")) as folder:
        simulate(folder, params.world, params.scale, params.seed, progress=True, workers=2)
