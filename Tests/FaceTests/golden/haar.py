#!/usr/bin/env python3
"""Golden values for the Haar cascade, from OpenCV's own Python interface (opencv-python-headless 4.x).

    python haar.py CASCADE.xml

Run blazeface.py first: it draws the picture. Writes ../Fixtures/haar.json.
"""

import json
import os
import sys

import cv2

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Fixtures")


def main():
    cascade = cv2.CascadeClassifier(sys.argv[1])
    colour = cv2.imread(os.path.join(FIXTURES, "face-320x240.png"))
    grey = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
    boxes = {
        str(scale): [[int(v) for v in box] for box in cascade.detectMultiScale(grey, scale, minNeighbors=9)]
        for scale in (1.12, 1.02)
    }
    points = [(0, 0), (150, 105), (120, 98), (319, 239), (150, 142)]
    golden = {
        "boxes": boxes,
        "luma": [{"x": x, "y": y, "grey": int(grey[y, x])} for x, y in points],
        "laplacianVariance": float(cv2.Laplacian(grey, cv2.CV_64F, ksize=1)[1:-1, 1:-1].var()),
    }
    with open(os.path.join(FIXTURES, "haar.json"), "w") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")
    print(golden)


if __name__ == "__main__":
    main()
