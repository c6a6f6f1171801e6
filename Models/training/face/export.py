"""Calibrate, export to ONNX, check the export against PyTorch, and write the card."""

import hashlib
import json
import os

import numpy as np
import onnx
import torch

import card
from evaluate import annotator_agreement, logits_of, report
from network import fold
from pictures import standardised


def fit_temperature(emotion_logits, pictures):
    """The one number that all logits are divided by, so that the class probabilities fit the annotators' shares best
    (least cross-entropy, by golden-section search)."""
    logits = torch.from_numpy(np.asarray(emotion_logits, dtype=np.float64))
    shares = torch.from_numpy(pictures.class_targets().astype(np.float64))

    def cost(temperature):
        return -(shares * fold(logits / temperature)).sum(dim=1).mean().item()

    low, high, ratio = 0.3, 3.0, (5**0.5 - 1) / 2
    while high - low > 1e-4:
        first, second = high - ratio * (high - low), low + ratio * (high - low)
        if cost(first) < cost(second):
            high = second
        else:
            low = first
    return (low + high) / 2


def write_model_folder(network, validation, options):
    size = options.size
    network = network.eval().to(memory_format=torch.contiguous_format)
    logits = {name: logits_of(network, pictures, size) for name, pictures in validation.items()}
    temperature = fit_temperature(logits["ferplusValid"], validation["ferplusValid"])
    network.temperature.mul_(temperature)
    os.makedirs(options.out, exist_ok=True)
    path = os.path.join(options.out, "model.onnx")
    # One picture a run: OpenVINO takes twice as long where the batch is left open.
    torch.onnx.export(
        network, (torch.zeros(1, 1, size, size),), path, dynamo=False, opset_version=17,
        input_names=["pictures"], output_names=["classLogits", "emotionLogits"],
    )
    forget_origin(path)
    check(network, path, size)
    with open(path, "rb") as file:
        sha256 = hashlib.sha256(file.read()).hexdigest()
    write_golden(network, sha256, size, options.golden)
    metrics = {name: report(logits[name] / temperature, pictures) for name, pictures in validation.items()}
    for name in ("ferplusValid", "ferplusValidMajority"):
        metrics[name]["annotatorAgreement"] = annotator_agreement(validation[name], options.seed)
    card.write(options.out, size, float(network.temperature), sha256, metrics, options)
    print(json.dumps(metrics, indent=1), flush=True)


def forget_origin(path):
    """Exporters note source lines, and so the folders of this machine, at every node."""
    model = onnx.load(path)
    graph = model.graph
    for part in [model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]:
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.save(model, path)


def write_golden(network, sha256, size, path):
    """PyTorch's logits on pictures that the Swift test makes by the same formula."""
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    pictures = np.stack([(columns * (3 + k) + rows * (5 + 2 * k)) % 256 for k in range(4)])
    with torch.no_grad():
        class_logits, emotion_logits = network(torch.from_numpy(standardised(pictures)))
    golden = {
        "sha256": sha256,
        "pictures": [
            {"classLogits": c.tolist(), "emotionLogits": e.tolist()} for c, e in zip(class_logits, emotion_logits)
        ],
    }
    with open(path, "w") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")


def check(network, path, size):
    """The exported file must give PyTorch's logits within 1e-4 in OpenVINO."""
    import openvino

    x = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = [output.numpy() for output in network(x)]
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = compiled(x.numpy())
    for index, values in enumerate(expected):
        gap = float(np.abs(result[index] - values).max())
        if gap > 1e-4:
            raise RuntimeError(f"OpenVINO differs from PyTorch by {gap} in output {index}")
