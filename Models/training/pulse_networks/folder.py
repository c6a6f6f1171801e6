"""A model folder for `rppg-node --wave-model`: `model.onnx`, `model.json` and `README.md`."""

import hashlib
import io
import json

import numpy as np
import torch

RATE_HZ = 30
FRAMING = ("the face upright, from 0.87 eye distances above the eyes to 1.77 below, 2.17 wide; RGB 0...255, averaged over the area; "
           f"the frame nearest to each point of a grid of {RATE_HZ} Hz")


def export(network, pictures, out, *, name, architecture, training, metrics=None, limits=None, readme):
    """Writes the folder. `pictures`: an example block, [frames, side, side, 3]."""
    network.eval()
    out.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(network, (pictures,), buffer, input_names=["pictures"], output_names=["wave"], opset_version=18, dynamo=False)
    content = buffer.getvalue()
    (out / "model.onnx").write_bytes(content)
    card = dict(
        name=name, task="pulse-wave", architecture=architecture, labels=["wave"],
        input=dict(shape=list(pictures.shape), normalisation=None),
        settings=dict(isDerivative=network.is_derivative),
        preprocessing=dict(pictures=FRAMING, inTheFile="everything else: differences and normalisation are part of the network"),
        training=training, metrics=metrics or {}, limits=limits or [], sha256=hashlib.sha256(content).hexdigest())
    (out / "model.json").write_text(json.dumps(card, indent=2) + "\n")
    (out / "README.md").write_text(readme)
    return difference_when_served(network, pictures, out / "model.onnx")


def renew_hash(out):
    """After a change of the weights' file."""
    card = json.loads((out / "model.json").read_text())
    card["sha256"] = hashlib.sha256((out / "model.onnx").read_bytes()).hexdigest()
    (out / "model.json").write_text(json.dumps(card, indent=2) + "\n")


def difference_when_served(network, pictures, path):
    """The largest difference between the network in PyTorch and the file in OpenVINO, as it is served."""
    import openvino

    served = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    with torch.no_grad():
        expected = network(pictures).numpy()
    return float(np.abs(served(pictures.numpy())[0] - expected).max())


def example(network, frames=None, seed=1):
    """Pictures of nothing in particular, whose colour beats a little."""
    rng = np.random.default_rng(seed)
    frames = frames or network.frames
    still = rng.uniform(60, 190, (1, network.side, network.side, 3))
    beat = 1 + 0.01 * np.sin(0.25 * np.arange(frames))[:, None, None, None]
    noise = rng.normal(0, 2, (frames, network.side, network.side, 3))
    return torch.from_numpy(np.clip(still * beat + noise, 0, 255).astype(np.uint8)).float()
