"""Runs the Keras networks of the `open-rppg` wheel, as the authors wrote them, in 32-bit floats: what the imported ones are checked against.

Needs keras, jax and einops. The wheel's own code computes in 16-bit floats in part; only that is changed (and an unrolling that takes minutes to compile).
"""

import importlib
import pathlib
import sys
import tempfile
import types
import zipfile

import numpy as np


def keras_module(wheel):
    """The wheel's `rppg.models`, without the parts of the package that need a camera."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="open-rppg-"))
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name in ("rppg/models.py", "rppg/models_code/FacePhys.py"):
                text = archive.read(name).decode().replace("mixed_float16", "float32").replace("unroll=16", "unroll=1")
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text)
    (folder / "rppg/__init__.py").write_text("")
    if importlib.util.find_spec("pkg_resources") is None:
        sys.modules["pkg_resources"] = types.ModuleType("pkg_resources")
    sys.path.insert(0, str(folder))
    return importlib.import_module("rppg.models")


def keras_output(network, wheel, weights, pictures):
    """The plain output for one block, [frames]: `TSCAN`, `EfficientPhys`, `PhysNet` or `FacePhys`."""
    models = keras_module(wheel)
    from keras import ops

    frames = len(pictures)
    scaled = (pictures / 255).astype(np.float32)
    if network == "TSCAN":
        inner = models.TSCAN(input_frames=frames)
        segment = 20
        for group in (inner.d1, inner.d2):
            for layer in group.layers:
                if isinstance(layer, models.TSM):
                    layer.n, layer.frames = segment, frames
        model = models.TSCANToEnd(inner)
    elif network == "EfficientPhys":
        model = models.EfficientPhys(input_frames=frames)
    elif network == "PhysNet":
        model = models.PhysNet()
    else:
        model = models.FacePhys([2] * 4, [32] * 4, chunk_size=frames)
        model.build((1, frames, *pictures.shape[1:]))
        model.load_weights(weights)
        output, _ = model.step_chunk(ops.array(scaled[None]), model.init_state((1, 1, *pictures.shape[1:])))
        return np.array(output)[0]
    model(np.zeros((1, *pictures.shape), np.float32))
    model.load_weights(weights)
    return np.array(model(ops.array(scaled[None])))[0]
