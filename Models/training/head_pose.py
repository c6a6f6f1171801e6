#!/usr/bin/env python3
"""The reference face of Sources/Face/HeadPose.swift: the average shape of faces in photographs, by MediaPipe's mesh.

    python training/head_pose.py --web-faces DIR --models DIR

Needs numpy, opencv-python-headless and openvino. Generalised Procrustes analysis (Gower 1975) over the meshes of photographs:
points that expressions move little, each mesh turned, moved and scaled onto the mean, the mean made symmetric, and so on. The
mean's outer eye corners are 1 apart. Prints the Swift table; how far each point strays; and the angles' agreement with another
method, OpenCV's solvePnP, which uses only where the points lie in the picture, not the depth that the network guesses.
"""

import argparse
import glob
import os
import random

import cv2
import numpy as np
import openvino

INPUT_SIZE = 192
PAIRS = [(33, 263), (133, 362), (117, 346), (47, 277), (193, 417), (54, 284), (127, 356), (129, 358)]  # right, left
MIDDLE = [151, 168, 6, 197, 5, 4]
POINTS = [point for pair in PAIRS for point in pair] + MIDDLE


class MeshNetwork:
    def __init__(self, folder):
        self.model = openvino.Core().compile_model(
            os.path.join(folder, "face_landmark.tflite"), "CPU",
            {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})

    def run(self, picture, centre, side, angle):
        """468 points in the picture, and the network's certainty."""
        scale, middle = side / INPUT_SIZE, INPUT_SIZE / 2
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        to_picture = np.column_stack([turn, centre - turn @ [middle, middle]])
        crop = cv2.warpAffine(
            picture, to_picture, (INPUT_SIZE, INPUT_SIZE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        raw, presence = [value.reshape(-1) for value in self.model((crop.astype(np.float32) / 255)[None]).values()]
        points = raw.reshape(-1, 3).astype(float)
        placed = points * scale
        placed[:, :2] = points[:, :2] @ to_picture[:, :2].T + to_picture[:, 2]
        return placed, 1 / (1 + np.exp(-presence[0]))

    def mesh_of_portrait(self, picture):
        """The mesh of a picture that is a face: the first one places the next, as MediaPipe does from frame to frame."""
        height, width = picture.shape[:2]
        points, presence = self.run(picture, np.array([width, height]) / 2, 1.1 * width, 0)
        for _ in range(2):
            across = points[263, :2] - points[33, :2]
            low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
            points, presence = self.run(
                picture, (low + high) / 2, 1.43 * max(high - low), np.arctan2(across[1], across[0]))
        return points, presence


def aligned(points, reference):
    """Points turned, moved and scaled onto the reference, and the rotation from the reference to the points."""
    a, b = points - points.mean(axis=0), reference - reference.mean(axis=0)
    u, s, vt = np.linalg.svd(a.T @ b)
    signs = np.array([1, 1, np.linalg.det(u @ vt)])
    rotation = u @ np.diag(signs) @ vt
    return a @ rotation * (s * signs).sum() / (a**2).sum(), rotation


def mirrored(shape):
    result = shape * [-1, 1, 1]
    count = 2 * len(PAIRS)
    result[:count] = result[:count].reshape(-1, 2, 3)[:, ::-1].reshape(-1, 3)
    return result


def normalised(shape):
    shape = shape - shape.mean(axis=0)
    return shape / np.linalg.norm(shape[0] - shape[1])


def mean_shape(meshes):
    reference = normalised(meshes.mean(axis=0))
    for _ in range(100):
        mean = np.mean([aligned(mesh, reference)[0] for mesh in meshes], axis=0)
        mean = normalised(mean + mirrored(mean))
        change = np.abs(mean - reference).max()
        reference = mean
        if change < 1e-9:
            return reference
    raise SystemExit("the mean shape does not settle")


def degrees(rotation):
    """Yaw, pitch and roll as HeadPose.swift defines them."""
    return np.degrees([
        np.arctan2(-rotation[0, 2], rotation[2, 2]), np.arcsin(np.clip(rotation[1, 2], -1, 1)),
        np.arctan2(rotation[1, 0], rotation[1, 1])])


def rotation_by_pnp(mesh, reference):
    """From a camera so far away that it hardly matters where."""
    distance = 1e5
    picture = np.ascontiguousarray(mesh[:, :2] - mesh[:, :2].mean(axis=0))
    scale = np.linalg.norm(picture[0] - picture[1])
    camera = np.diag([distance, distance, 1])
    _, vector, _ = cv2.solvePnP(
        np.ascontiguousarray(reference), picture, camera, None, rvec=np.zeros((3, 1)),
        tvec=np.array([[0.0], [0.0], [distance / scale]]), useExtrinsicGuess=True, flags=cv2.SOLVEPNP_ITERATIVE)
    return cv2.Rodrigues(vector)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--web-faces", required=True, help="folder of square JPEG pictures of one face each")
    parser.add_argument("--models", required=True, help="folder of MediaPipe's TFLite files")
    parser.add_argument("--count", type=int, default=1500, help="how many pictures to use (default: %(default)s)")
    options = parser.parse_args()

    network = MeshNetwork(options.models)
    files = sorted(glob.glob(os.path.join(options.web_faces, "*.jpg")))
    random.Random(1).shuffle(files)
    meshes = []
    for file in files[: options.count]:
        points, presence = network.mesh_of_portrait(cv2.cvtColor(cv2.imread(file, 0), cv2.COLOR_GRAY2RGB))
        if presence > 0.99:
            meshes.append(points[POINTS])
    meshes = np.array(meshes)
    reference = mean_shape(meshes)

    for point, (x, y, z) in zip(POINTS, reference):
        print(f"        ({point}, SIMD3({x:.4f}, {y:.4f}, {z:.4f})),")
    fits = [aligned(mesh, reference) for mesh in meshes]
    strays = np.sqrt(((np.array([fit for fit, _ in fits]) - reference) ** 2).sum(axis=2).mean(axis=0))
    print("faces", len(meshes), "stray (root mean square)", dict(zip(POINTS, strays.round(3).tolist())))
    angles = np.array([degrees(rotation) for _, rotation in fits])
    print("yaw, pitch, roll: mean", angles.mean(axis=0).round(2), "deviation", angles.std(axis=0).round(2))
    other = np.array([degrees(rotation_by_pnp(mesh, reference)) for mesh in meshes])
    print("differs from solvePnP by (median of absolute values, degrees)", np.median(abs(other - angles), axis=0).round(2))


if __name__ == "__main__":
    main()
