"""What is wrong with recordings or settings is said in one message before anything is written."""

import csv
import re
import shutil

import numpy as np
import pytest
import yaml
from checkout import Checkout
from closure import ROOT

import stages.align_data
from rbc.params import ParamsError
from rbc.recordings.errors import RecordingError
from rbc.recordings.session import load_sessions
from rbc.simulate.dataset import simulate

pytestmark = pytest.mark.pipeline
STAMPED, PLAIN = "F1D1_indoor", "F5D2_indoor"
POSE = "pose/{}DLC_resnet50_rbc.csv"
