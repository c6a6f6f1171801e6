"""What PyTorch's DeepPhys makes of pictures by a formula, with the weights of Models/pulse-deepphys.

    python make_deepphys.py ../Fixtures/deepphys.json

Made with torch 2.13 and onnx 1.23.2. The formula is whole-number arithmetic, the same in any language.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import torch
from onnx import numpy_helper

models = pathlib.Path(__file__).resolve().parents[3] / "Models"
sys.path.insert(0, str(models))
from training.pulse_networks.shifted_2d import DeepPhys  # noqa: E402

network = DeepPhys(36).eval()
stored = {w.name.removesuffix("_half"): numpy_helper.to_array(w) for w in onnx.load(models / "pulse-deepphys/model.onnx").graph.initializer}
network.load_state_dict({name: torch.from_numpy(stored[name].astype(np.float32)) for name in network.state_dict()})
frame, y, x, channel = np.meshgrid(*(np.arange(size) for size in (DeepPhys.frames, 36, 36, 3)), indexing="ij")
pictures = 90 + (7 * x + 11 * y + 29 * channel) % 60 + (frame * (frame + 3) + x * y) % 7
with torch.no_grad():
    steps = network(torch.from_numpy(pictures.astype(np.float32)))[:, 0]
pathlib.Path(sys.argv[1]).write_text(json.dumps([round(float(step), 6) for step in steps]) + "\n")
