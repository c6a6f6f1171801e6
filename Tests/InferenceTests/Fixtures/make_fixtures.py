#!/usr/bin/env python3
"""Makes the tiny network of these tests, and what it must answer according to the ONNX reference evaluator.

    python3 Tests/InferenceTests/Fixtures/make_fixtures.py      (needs numpy and onnx 1.23)

The network has the parts of the real ones: a convolution, a ReLU, a mean over the picture, a matrix product. Its batch
is open.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

HERE = Path(__file__).parent
FOLDER = HERE / "tiny"
BATCH = 8
LABELS = ["positive", "neutral", "negative"]

random = np.random.default_rng(20261123)


def weights(name, *shape):
    return numpy_helper.from_array(random.normal(0, 0.5, shape).astype(np.float32), name)


graph = helper.make_graph(
    [
        helper.make_node("Conv", ["picture", "kernel", "kernelBias"], ["convolved"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["convolved"], ["rectified"]),
        helper.make_node("GlobalAveragePool", ["rectified"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "head", "headBias"], ["logits"]),
    ],
    "tiny",
    [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["batch", 3, 12, 16])],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
    [weights("kernel", 24, 3, 3, 3), weights("kernelBias", 24), weights("head", 24, 3), weights("headBias", 3)],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
FOLDER.mkdir(exist_ok=True)
onnx.save(model, FOLDER / "model.onnx")

pictures = np.round(random.uniform(-1, 1, (BATCH, 3, 12, 16)), 4).astype(np.float32)
logits = ReferenceEvaluator(model).run(None, {"picture": pictures})[0]
(HERE / "tiny-golden.json").write_text(
    json.dumps(
        {
            "pictures": [round(float(x), 4) for x in pictures.ravel()],
            "logits": [round(float(x), 7) for x in logits.ravel()],
        }
    )
    + "\n"
)

card = {
    "name": "tiny",
    "task": "face",
    "architecture": "3x3 convolution of 24 channels, mean, linear: random weights, for tests only",
    "labels": LABELS,
    "input": {"shape": [-1, 3, 12, 16], "normalisation": {"mean": [0.485, 0.456, 0.406], "standardDeviation": [0.229, 0.224, 0.225]}},
    "settings": {"cropMargin": 0.25, "minimumSizePixels": 48},
    "sha256": hashlib.sha256((FOLDER / "model.onnx").read_bytes()).hexdigest(),
}
(FOLDER / "model.json").write_text(json.dumps(card, indent=2) + "\n")
