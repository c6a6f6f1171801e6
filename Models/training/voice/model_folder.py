"""Writes a model folder: model.onnx, model.json (the card that programs read), README.md (the card that people read)."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from .corpora import LABELS

SAMPLE_RATE_HZ = 48_000
WINDOW_SAMPLES = 144_000
LEAST_HALVED_VALUES = 4096
RAVDESS_LICENCE = "CC BY-NC-SA 4.0 (the data; the weights are for non-commercial use likewise)"


def export(
    network: torch.nn.Module, inputs: tuple[torch.Tensor, ...], names: list[str], outputs: list[str], path: Path, takes_batches: bool = True
) -> None:
    """ONNX with an open batch dimension, all in one file; `takes_batches` false: with a batch of one, for networks that OpenVINO computes to
    other bits in a batch than alone (recurrent ones)."""
    network.eval()
    batch = torch.export.Dim("batch", min=1, max=1024)
    if not takes_batches:
        inputs = tuple(tensor[:1] for tensor in inputs)
    program = torch.onnx.export(
        network, inputs, dynamo=True, input_names=names, output_names=outputs, opset_version=18,
        dynamic_shapes=tuple({0: batch} for _ in inputs) if takes_batches else None)
    path.parent.mkdir(parents=True, exist_ok=True)
    program.save(str(path), external_data=False)
    forget_origin(path)
    onnx.checker.check_model(str(path))


def forget_origin(path: Path) -> None:
    """The exporter notes the source line, and so the folders of this machine, at every node."""
    model = onnx.load(path)
    graph = model.graph
    for part in [model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]:
        del part.metadata_props[:]
    onnx.save(model, path)


def halve_weights(path: Path) -> None:
    """Stores large weights as float16, cast back to float32 in the graph: inference folds the casts away."""
    model = onnx.load(path)
    graph, casts = model.graph, []
    for weights in graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < LEAST_HALVED_VALUES:
            continue
        name = weights.name
        weights.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts + nodes)
    del graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def mfcc_front_end(mean: np.ndarray, deviation: np.ndarray) -> dict:
    """The card's part on what AudioNetCT and AudioNetCL are shown: MFCC images, standardised by coefficient."""
    return {
        "input": {
            "shape": [-1, 1, 40, 282],
            "normalisation": {"mean": [round(float(v), 6) for v in mean], "standardDeviation": [round(float(v), 6) for v in deviation]}},
        "settings": {
            "sampleRateHz": SAMPLE_RATE_HZ, "windowSamples": WINDOW_SAMPLES, "features": "mfcc",
            "mfcc": {"coefficients": 40, "transformSize": 1024, "windowSamples": 512, "hopSamples": 512, "melBands": 128, "rangeDB": 80}},
    }


def write_card(folder: Path, card: dict, readme: str) -> None:
    weights = (folder / "model.onnx").read_bytes()
    card = {**card, "labels": list(LABELS), "sha256": hashlib.sha256(weights).hexdigest()}
    (folder / "model.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    (folder / "README.md").write_text(readme)


def confusion_table(confusion: list[list[int]]) -> str:
    lines = ["| true \\ heard as | positive | neutral | negative |", "| --- | --- | --- | --- |"]
    lines += [f"| {label} | " + " | ".join(str(count) for count in row) + " |" for label, row in zip(LABELS, confusion)]
    return "\n".join(lines)
