#!/usr/bin/env python3
"""Quantise an exported face network to 8 bits, measure what that costs, and note it in the card.

    python quantise.py FOLDER --ferplus DIR --web-faces DIR
    python quantise.py FOLDER --ravdess DIR    # one of the original's networks: the folders that train_original.py was given

Post-training quantisation by NNCF on OpenVINO's form of the network (its ONNX form lost 6 points): weights by channel, activations
by tensor, their ranges from training pictures, half of them changed as in training. Writes model.int8.xml and model.int8.bin, unless
accuracy or macro recall falls by more than a point on a set of the card.
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

import nncf
import numpy as np
import openvino

CALIBRATION_PICTURES = 600
SEED = 20241128
GREATEST_LOSS = 0.01
KEPT_FIGURES = ("pictures", "accuracy", "macroRecall", "recall", "expectedCalibrationError")


class DefaultNetwork:
    """train.py's: grey pictures, the emotions' logits."""

    output = 1

    def __init__(self, options, content):
        import evaluate
        import pictures

        self.pictures, self.judge, self.size = pictures, evaluate.report, content["input"]["shape"][2]
        self.training = pictures.load_ferplus(options.ferplus, "train")
        self.sets = {
            "ferplusValid": pictures.load_ferplus(options.ferplus, "valid"),
            "ferplusValidMajority": pictures.load_ferplus(options.ferplus, "valid", majority_only=True),
            "webFacesHeldOut": pictures.load_web_faces(options.web_faces, True),
        }

    def input(self, number, changed):
        image = self.training.images[number]
        return self.pictures.standardised(
            [self.pictures.augmented(image, self.size, np.random.default_rng([SEED, number])) if changed
             else self.pictures.upright(image, self.size)])

    def inputs(self, name):
        return (self.pictures.standardised([self.pictures.upright(image, self.size)]) for image in self.sets[name].images)

    def write_card(self, folder, content):
        import card

        card.write_pages(folder, content)


class OriginalNetwork:
    """train_original.py's: pictures in colour, the classes' logits."""

    output = 0

    def __init__(self, options, content):
        import original_card
        import original_pictures
        import train_original

        self.card, self.judge = original_card, original_card.report
        options.seed, options.limit = content["training"]["seed"], content["training"]["limit"]
        options.split = content["training"]["ravdessSplit"]
        splits = train_original.load(options)
        if list(splits) != list(content["metrics"]):
            sys.exit(f"the network was judged on {', '.join(content['metrics'])}: name just the folders of these")
        training = [face for parts in splits.values() for face in parts.training]
        self.training = original_pictures.Pictures(training)
        self.changed = original_pictures.Pictures(training, SEED)
        self.sets = {name: parts.test for name, parts in splits.items()}
        self.shown = original_pictures.Pictures

    def input(self, number, changed):
        return (self.changed if changed else self.training)[number][0][None].numpy()

    def inputs(self, name):
        return (picture[None].numpy() for picture, _ in self.shown(self.sets[name]))

    def write_card(self, folder, content):
        Path(folder, "README.md").write_text(self.card.page(content))


def is_transformer(card):
    return card["architecture"].startswith("ViT")


def quantised(onnx_path, inputs, transformer):
    """OpenVINO's form of the network in 8 bits, activations' ranges taken from `inputs`."""
    model = nncf.quantize(
        openvino.convert_model(onnx_path), nncf.Dataset(inputs), preset=nncf.QuantizationPreset.MIXED, subset_size=len(inputs),
        model_type=nncf.ModelType.TRANSFORMER if transformer else None)
    # Notes of the tools that no program reads.
    for part in (["nncf"], ["conversion_parameters"]):
        if model.has_rt_info(part):
            model.set_rt_info("", part)
    return model


def write(model, folder):
    """Writes model.int8.xml and model.int8.bin; the SHA-256 of both in a row."""
    path = os.path.join(folder, "model.int8.xml")
    openvino.save_model(model, path, compress_to_fp16=False)
    digest = hashlib.sha256()
    for name in (path, path.removesuffix(".xml") + ".bin"):
        with open(name, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def metrics_of(model, network, name):
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    logits = [request.infer([picture])[network.output].copy() for picture in network.inputs(name)]
    return network.judge(np.concatenate(logits), network.sets[name])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="model folder that train.py or train_original.py wrote")
    parser.add_argument("--ferplus", help="folder with votes.csv, train/ and valid/")
    parser.add_argument("--web-faces", help="folder with labels.csv and the pictures")
    parser.add_argument("--ravdess", type=Path, help="folder of RAVDESS faces")
    options = parser.parse_args()

    card_path = os.path.join(options.folder, "model.json")
    with open(card_path) as file:
        content = json.load(file)
    is_default = content["input"]["shape"][1] == 1
    if is_default and not (options.ferplus and options.web_faces):
        parser.error("the default network needs --ferplus and --web-faces")
    network = (DefaultNetwork if is_default else OriginalNetwork)(options, content)

    chosen = np.random.default_rng(SEED).permutation(len(network.training))[:CALIBRATION_PICTURES]
    inputs = [network.input(int(index), changed=number % 2 == 0) for number, index in enumerate(chosen)]
    model = quantised(os.path.join(options.folder, "model.onnx"), inputs, is_transformer(content))

    metrics = {}
    for name in network.sets:
        figures = metrics_of(model, network, name)
        metrics[name] = {key: figures[key] for key in KEPT_FIGURES}
        for key in ("accuracy", "macroRecall"):
            before, after = content["metrics"][name][key], figures[key]
            print(f"{name} {key}: {before:.4f} in f32, {after:.4f} in int8", flush=True)
            if after < before - GREATEST_LOSS:
                sys.exit("too much is lost; nothing written")

    content["int8"] = {
        "sha256": write(model, options.folder),
        "calibration": f"{len(chosen)} pictures trained on, seed {SEED}; NNCF {nncf.__version__}",
        "metrics": metrics,
    }
    with open(card_path, "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    network.write_card(options.folder, content)


if __name__ == "__main__":
    main()
