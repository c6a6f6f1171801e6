"""A network of pictures that is simple enough to be checked by hand: the step of the mean green from each picture to the next.

    python make_wave_network.py ../Fixtures/wave-network

Five pictures of 4 x 4 pixels in, four numbers out. Made with onnx 1.23.2.
"""

import hashlib
import json
import pathlib
import sys

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
constants = dict(axes=[1, 2], green=[1], channel=[3], first=[0], second=[1], last=[5], before_last=[4], time=[0])
nodes = [
    helper.make_node("ReduceMean", ["pictures", "axes"], ["means"], keepdims=0),
    helper.make_node("Slice", ["means", "green", "two", "second"], ["greens"]),
    helper.make_node("Slice", ["greens", "second", "last", "time"], ["later"]),
    helper.make_node("Slice", ["greens", "first", "before_last", "time"], ["earlier"]),
    helper.make_node("Sub", ["later", "earlier"], ["wave"]),
]
initialisers = [numpy_helper.from_array(np.array(values, np.int64), name) for name, values in (constants | dict(two=[2])).items()]
graph = helper.make_graph(
    nodes, "steps-of-green", [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, [5, 4, 4, 3])],
    [helper.make_tensor_value_info("wave", TensorProto.FLOAT, [4, 1])], initialisers)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
checker.check_model(model)
content = model.SerializeToString()
(out / "model.onnx").write_bytes(content)
(out / "model.json").write_text(json.dumps(dict(
    name="steps-of-green", task="pulse-wave", architecture="the step of the mean green from picture to picture", labels=["wave"],
    input=dict(shape=[5, 4, 4, 3], normalisation=None), settings=dict(isDerivative=True),
    sha256=hashlib.sha256(content).hexdigest()), indent=2) + "\n")
