#!/usr/bin/env python3
"""Faces from RAVDESS's speech videos: frames, cut by `face-node crop` as face-node shows them to its network.

    python ravdess_frames.py --videos RAVDESS --out ravdess-faces

Writes OUT/01-01-EE-II-SS-RR-AA/FRAME.png. A recording whose folder is there is not done again, so the command goes on where it
was stopped.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import cv2

import ravdess

NODE = Path(__file__).resolve().parents[3] / ".build/release/face-node"


def frames_of(video, every):
    """(number, BGR picture) of every `every`-th frame. The last frames are often black: those are left out."""
    capture = cv2.VideoCapture(str(video))
    if not capture.isOpened():
        raise SystemExit(f"{video}: cannot be read")
    number = 0
    while capture.grab():
        if number % every == 0:
            done, picture = capture.retrieve()
            if done and picture.max() > 32:
                yield number, picture
        number += 1
    capture.release()


def extract(video, folder, every, size, node):
    """The number of faces. Frames without one are left out."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        names = []
        for number, picture in frames_of(video, every):
            names.append(os.path.join(work, f"{number:04}.png"))
            cv2.imwrite(names[-1], picture, [cv2.IMWRITE_PNG_COMPRESSION, 0])
        crops = os.path.join(work, "crops")
        os.mkdir(crops)
        if names:
            command = [str(node), "crop", "--colour", "--size", str(size), "--out", crops, *names]
            result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
            if result.returncode not in (0, 65):  # 65: a frame without a face
                raise SystemExit(f"{' '.join(command[:6])} ...: ended with {result.returncode}")
            for line in map(json.loads, result.stdout.splitlines()):
                if "crop" in line:
                    crop = line["crop"]
                    cv2.imwrite(os.path.splitext(crop)[0] + ".png", cv2.imread(crop))
                    os.remove(crop)
        count = len(os.listdir(crops))
        os.rename(crops, folder)
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True, help="folder of the videos, as published")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--every", type=int, default=10, help="take one frame in so many: 10 is three a second")
    parser.add_argument("--size", type=int, default=224, help="side of the faces in pixels")
    parser.add_argument("--node", type=Path, default=NODE, help="the built face-node")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    videos = ravdess.videos(options.videos)
    for number, (path, _) in enumerate(videos, 1):
        folder = options.out / path.stem
        if not folder.exists():
            count = extract(path, folder, options.every, options.size, options.node)
            print(f"{number}/{len(videos)} {path.stem}: {count} faces", flush=True)


if __name__ == "__main__":
    main()
