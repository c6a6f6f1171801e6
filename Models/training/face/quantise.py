#!/usr/bin/env python3
"""Quantise an exported face network to 8 bits, measure what that costs, and note it in the card.

    python quantise.py FOLDER --ferplus DIR --web-faces DIR

Post-training quantisation by NNCF on OpenVINO's form of the network (its ONNX form lost 6 points): weights by channel, activations
by tensor, their ranges from training pictures, half of them changed as in training. Writes model.int8.xml and model.int8.bin, unless
accuracy or macro recall falls by more than a point on either set.
"""

import argparse
import hashlib
import json
import os
import sys

import nncf
import numpy as np
import openvino

import card
from evaluate import report
from pictures import augmented, load_ferplus, load_web_faces, standardised, upright

CALIBRATION_PICTURES = 600
SEED = 20241128
GREATEST_LOSS = 0.01


def calibration_inputs(pictures, size):
    chosen = np.random.default_rng(SEED).permutation(len(pictures))[:CALIBRATION_PICTURES]
    for number, index in enumerate(chosen):
        image = pictures.images[index]
        shown = upright(image, size) if number % 2 else augmented(image, size, np.random.default_rng([SEED, number]))
        yield standardised([shown])


def metrics_of(model, pictures, size):
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    logits = [request.infer([standardised([upright(image, size)])])[1].copy() for image in pictures.images]
    return report(np.concatenate(logits), pictures)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="model folder that train.py wrote")
    parser.add_argument("--ferplus", required=True)
    parser.add_argument("--web-faces", required=True)
    options = parser.parse_args()

    card_path = os.path.join(options.folder, "model.json")
    with open(card_path) as file:
        content = json.load(file)
    size = content["input"]["shape"][2]
    reference = openvino.convert_model(os.path.join(options.folder, "model.onnx"))
    quantised = nncf.quantize(
        reference, nncf.Dataset(list(calibration_inputs(load_ferplus(options.ferplus, "train"), size))),
        preset=nncf.QuantizationPreset.MIXED, subset_size=CALIBRATION_PICTURES)
    # Notes of the tools that no program reads.
    for part in (["nncf"], ["conversion_parameters"]):
        if quantised.has_rt_info(part):
            quantised.set_rt_info("", part)

    metrics = {}
    for name, pictures in [
        ("ferplusValid", load_ferplus(options.ferplus, "valid")), ("webFacesHeldOut", load_web_faces(options.web_faces, True))
    ]:
        figures = metrics_of(quantised, pictures, size)
        metrics[name] = {key: figures[key] for key in ("pictures", "accuracy", "macroRecall", "recall", "expectedCalibrationError")}
        for key in ("accuracy", "macroRecall"):
            before, after = content["metrics"][name][key], figures[key]
            print(f"{name} {key}: {before:.4f} in f32, {after:.4f} in int8", flush=True)
            if after < before - GREATEST_LOSS:
                sys.exit("too much is lost; nothing written")

    path = os.path.join(options.folder, "model.int8.xml")
    openvino.save_model(quantised, path, compress_to_fp16=False)
    digest = hashlib.sha256()
    for name in (path, path.removesuffix(".xml") + ".bin"):
        with open(name, "rb") as file:
            digest.update(file.read())
    content["int8"] = {
        "sha256": digest.hexdigest(),
        "calibration": f"{CALIBRATION_PICTURES} pictures of FER+ train, seed {SEED}; NNCF {nncf.__version__}",
        "metrics": metrics,
    }
    with open(card_path, "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    card.write_pages(options.folder, content)


if __name__ == "__main__":
    main()
