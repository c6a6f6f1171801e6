#!/usr/bin/env python3
"""The surest mistakes of a face model, as a sheet of pictures to look at: the card's failure gallery is its description.

    python gallery.py --model ../../face --pictures ferplus --data DIR --out sheet.png

Do not publish the sheet: the pictures are not ours.
"""

import argparse
import json
import os

import cv2
import numpy as np
import openvino

from evaluate import folded
from network import CLASSES
from pictures import load_ferplus, load_web_faces, standardised, upright

TILE, CAPTION, COLUMNS = 96, 28, 12


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--pictures", choices=["ferplus", "web-faces"], required=True)
    parser.add_argument("--data", required=True, help="folder of that set")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()

    with open(os.path.join(options.model, "model.json")) as file:
        size = json.load(file)["input"]["shape"][2]
    network = openvino.Core().compile_model(
        os.path.join(options.model, "model.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    pictures = load_ferplus(options.data, "valid") if options.pictures == "ferplus" else load_web_faces(options.data, True)
    logits = np.concatenate([network(standardised([upright(image, size)]))[1] for image in pictures.images])
    probabilities = np.exp(folded(logits))
    truth, guess = pictures.class_targets().argmax(axis=1), probabilities.argmax(axis=1)
    wrong = np.flatnonzero(truth != guess)
    surest = wrong[np.argsort(-probabilities[wrong, guess[wrong]], kind="stable")][: options.count]

    rows = -(-len(surest) // COLUMNS)
    sheet = np.full((rows * (TILE + CAPTION), COLUMNS * TILE), 255, dtype=np.uint8)
    for place, i in enumerate(surest):
        top, left = place // COLUMNS * (TILE + CAPTION), place % COLUMNS * TILE
        sheet[top : top + TILE, left : left + TILE] = upright(pictures.images[i], TILE)
        lines = (f"is {CLASSES[truth[i]]}", f"says {CLASSES[guess[i]]} {100 * probabilities[i, guess[i]]:.0f}")
        for line, text in enumerate(lines):
            cv2.putText(sheet, text, (left + 2, top + TILE + 11 + 12 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.33, 0, 1, cv2.LINE_AA)
    cv2.imwrite(options.out, sheet)
    print(f"{len(wrong)} of {len(pictures)} wrong; the surest {len(surest)} in {options.out}")


if __name__ == "__main__":
    main()
