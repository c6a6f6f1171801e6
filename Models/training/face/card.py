#!/usr/bin/env python3
"""The model's card: model.json for the program, README.md for people, both from the same figures.

    python card.py FOLDER

writes README.md and reliability.svg anew from the folder's model.json, for a change of words.
"""

import json
import os
import sys

from network import CLASSES, EMOTIONS, MEAN, STANDARD_DEVIATION
from reliability import diagram

LIMITS = [
    "Labels are what annotators see in a face, not what a person feels.",
    "FER2013 is made of posed and press pictures from a web search: ages, skin colours and cultures are not balanced, and "
    "were not annotated, so no figures per group can be given.",
    "Disgust, fear and contempt are rare in the data; the eight-emotion output is weak on them.",
    "Tears with a drawn-back mouth look like laughter to it in some frames: look at seconds, not at frames.",
    "Heads turned by more than about 45 degrees, and faces narrower than 28 pixels, are beyond its training.",
]

# What gallery.py shows of the shipped weights, in words.
FAILURES = [
    "FER+: mouths wide open, with teeth or tongue: babies that cry, screams, fright with hands at the cheeks, taken for laughter or "
    "surprise; shouts of joy taken for anger.",
    "FER+: frowns, pressed lips and scowls over a closed mouth taken for neutral; old and furrowed faces at rest taken for negative.",
    "FER+: hands before the mouth, the brow or the eyes, and eyes cast down, read as negative, whatever they were.",
    "FER+: slight smiles with closed lips, and faces dark on one side, taken for neutral; a raised brow or a dimple taken for a smile.",
    "FER+: surprise, which counts as positive, taken for fear and the other way round; annotators are divided there too.",
    "FER+: profiles, heads laid on a hand or turned away, drawings: taken for anything.",
    "Web faces: mouths open in speech, which the one annotator called now positive, now negative, taken for neutral.",
    "Web faces: athletes' grimaces of effort, which the annotator called negative, neutral or positive as it came.",
    "Web faces: some ten pictures of one woman with a calm look, labelled now positive, now negative: the label is the guess.",
]

EVALUATED = {
    "ferplusValid": "FER+ valid (strongest class of the votes)",
    "ferplusValidMajority": "FER+ valid (majority, as its authors judge)",
    "webFacesHeldOut": "Web faces, people never trained on",
}


def write(folder, size, temperature, sha256, metrics, options):
    card = {
        "name": "face",
        "task": "face",
        "architecture": "EfficientNet-Lite0 with a grey stem, linear head to 8 emotions, folded to 3 classes",
        "labels": CLASSES,
        "input": {
            "shape": [1, 1, size, size],
            "normalisation": {"mean": [MEAN / 255], "standardDeviation": [STANDARD_DEVIATION / 255]},
        },
        "settings": {"emotions": EMOTIONS, "temperature": temperature},
        "training": {
            "data": ["FER2013 pictures with FER+ votes", "muxspace/facial_expressions", "backbone: ImageNet"],
            "licence": "FER+ votes and web-face labels: MIT; FER2013 and web pictures: research use; backbone: Apache-2.0",
            "split": "FER+ train / valid; of the web faces one person in five held out, by name",
            "seed": options.seed,
            "command": "python train.py " + " ".join(options.schedule),
            "note": options.note,
        },
        "metrics": metrics,
        "limits": LIMITS,
        "sha256": sha256,
    }
    with open(os.path.join(folder, "model.json"), "w") as file:
        json.dump(card, file, indent=2)
        file.write("\n")
    write_pages(folder, card)


def write_pages(folder, card):
    with open(os.path.join(folder, "README.md"), "w") as file:
        file.write(page(card))
    with open(os.path.join(folder, "reliability.svg"), "w") as file:
        file.write(diagram([(EVALUATED[name], figures["reliability"]) for name, figures in card["metrics"].items()]))


def int8_section(int8, set_names):
    return [
        "Quantised to 8 bits (`Models/training/face/quantise.py`; `face-node --precision auto` takes it where the processor has",
        f"instructions for it): {int8['calibration']}.",
        "",
        "| set | accuracy | macro recall | calibration error |",
        "|---|---|---|---|",
        *(
            f"| {set_names[key]} | {figures['accuracy']:.3f} | {figures['macroRecall']:.3f} | {figures['expectedCalibrationError']:.3f} |"
            for key, figures in int8["metrics"].items()
        ),
        "",
    ]


def page(card):
    size = card["input"]["shape"][2]
    agreements = [card["metrics"][name]["annotatorAgreement"] for name in ("ferplusValid", "ferplusValidMajority")]
    lines = [
        "# face: positive, neutral or negative, from one face",
        "",
        f"EfficientNet-Lite0, fine-tuned from ImageNet, on grey {size} x {size} pictures. It gives eight FER+ emotions",
        f"({', '.join(EMOTIONS)}) and, as sums of their probabilities, the three classes. One temperature",
        f"({card['settings']['temperature']:.3f}), fitted on FER+ valid, calibrates both. This page is written by",
        "`Models/training/face/card.py`; the same figures are in `model.json`.",
        "",
        "## Figures",
        "",
        "| set | pictures | accuracy | macro recall | positive | neutral | negative | calibration error | 8 emotions |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for key, figures in card["metrics"].items():
        recall = figures["recall"]
        lines.append(
            f"| {EVALUATED[key]} | {figures['pictures']} | {figures['accuracy']:.3f} | {figures['macroRecall']:.3f} | "
            + " | ".join(f"{recall[name]:.3f}" for name in CLASSES)
            + f" | {figures['expectedCalibrationError']:.3f} | {figures['emotionAccuracy']:.3f} |"
        )
    lines += [
        "",
        "Columns positive, neutral, negative: recall of that class. Pictures whose votes are mostly `unknown` or `not_face` are",
        "dropped. FER+ valid also chose the temperature and the training schedule, so expect a little less on new pictures.",
        "The second row has the pictures that FER+'s authors judge by: an answer that one annotator alone gave is struck out, then",
        "one emotion must have more than half of the votes.",
        "",
        "What the labels allow: by the votes' own spread (a Dirichlet-multinomial fitted to them), one more annotator would name the",
        "strongest class of " + " and ".join(f"{agreement['one']:.3f}" for agreement in agreements) + " of the pictures of these two sets, another ten annotators that of "
        + " and ".join(f"{agreement['ten']:.3f}" for agreement in agreements) + ".",
        "",
    ]
    if int8 := card.get("int8"):
        lines += int8_section(int8, EVALUATED)
    for key, figures in card["metrics"].items():
        lines += [
            f"Confusion, {EVALUATED[key]} (rows: truth, columns: answer):",
            "",
            "| | " + " | ".join(CLASSES) + " |",
            "|---|---|---|---|",
            *(f"| {name} | " + " | ".join(str(n) for n in row) + " |" for name, row in zip(CLASSES, figures["confusion"])),
            "",
        ]
    lines += [
        "How often the winning class is right, by how sure the network is of it (dots grow with their number of pictures):",
        "",
        "![Reliability diagram](reliability.svg)",
        "",
        "## What it gets wrong",
        "",
        "The sixty surest mistakes on each set, looked at (`Models/training/face/gallery.py` lays them out):",
        "",
        *(f"- {failure}" for failure in FAILURES),
        "",
    ]
    training = card["training"]
    lines += [
        "## Training",
        "",
        f"`{training['command']}` with the folders of FER+, the web faces and the ImageNet checkpoint",
        f"(`Models/training/face/train.py --help`). Seed {training['seed']}. {training['note']}",
        "",
        "Loss: cross-entropy with the annotators' vote distribution, over the three classes and (half weight) the eight",
        "emotions. Half of the pictures are flipped and a little moved and lit; in the other half augmentation stands between",
        "48-pixel grey pictures and webcams: flips, rotation, scale, shift, light from a side, contrast, gamma, blur, sharpening,",
        "noise, JPEG, resampling from 24 pixels up, hidden parts. The shipped weights are a running average over the last thousand",
        "steps or so.",
        "",
        f"Data: {'; '.join(training['data'])}. {training['licence']}. Split: {training['split']}.",
        "",
        "## What it is shown",
        "",
        "The face upright, its eyes 0.37 of the frame's side apart and 0.39 below its top edge: where BlazeFace finds them, on",
        "average, in the training pictures themselves. Grey (BT.601), averaged or interpolated to the input's size,",
        "`(grey / 255 - mean) / standardDeviation`.",
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in card["limits"]),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    with open(os.path.join(sys.argv[1], "model.json")) as card_file:
        write_pages(sys.argv[1], json.load(card_file))
