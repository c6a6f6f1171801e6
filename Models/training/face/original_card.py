"""Calibrate one of the original's networks, export it to ONNX, check that against PyTorch, judge it, and write its card."""

import hashlib
import json

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from card import int8_section
from curves import curves
from evaluate import calibration_error, log_softmax, reliability
from export import forget_origin
from original_networks import ARCHITECTURES, CLASSES, DROPOUT, HEAD_WIDTHS, MEAN, SIZE, STANDARD_DEVIATION
from reliability import diagram

LOGIT_TOLERANCE = 1e-3
SOURCES = {
    "ravdess": ("RAVDESS video speech", "RAVDESS (Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391), CC BY-NC-SA 4.0: non-commercial"),
    "ferplus": ("FER+ valid", "FER2013 pictures (research use) with FER+ votes (MIT)"),
    "webFaces": ("Web faces, people never trained on", "muxspace/facial_expressions (labels MIT; pictures from the web: research use)"),
}
SPLITS = {
    "persons": "RAVDESS: 80/10/10 of the actors, nobody in two parts",
    "random": "RAVDESS: 80/10/10 of the pictures at random. The same actors, and frames of the same recordings, are in all parts: "
    "the figures tell how well it knows these people, not strangers",
}
LIMITS = [
    "Labels are what annotators see in a face, or what an actor was told to play, not what a person feels.",
    "The figures are of the data named above; expect less on other people, cameras and light.",
]


def fit_temperature(logits, targets):
    """The one number to divide the logits by, so that their softmax fits the targets (n, 3) best."""

    def cost(log_temperature):
        return -(targets * log_softmax(logits / np.exp(log_temperature))).sum(axis=1).mean()

    return float(np.exp(minimize_scalar(cost, bounds=(np.log(0.1), np.log(10)), method="bounded").x))


def report(logits, faces):
    """Against the strongest class of each face."""
    truth = np.array([face.label for face in faces])
    log_probabilities = log_softmax(np.asarray(logits, dtype=np.float64))
    probabilities, guess = np.exp(log_probabilities), logits.argmax(axis=1)
    precision, recall, f1, _ = precision_recall_fscore_support(truth, guess, labels=range(len(CLASSES)), zero_division=0)
    bins = reliability(probabilities, truth)
    figures = {
        "pictures": len(faces),
        "accuracy": float((truth == guess).mean()),
        "macroRecall": float(recall.mean()),
        "macroPrecision": float(precision.mean()),
        "macroF1": float(f1.mean()),
        "recall": dict(zip(CLASSES, recall.tolist())),
        "confusion": confusion_matrix(truth, guess, labels=range(len(CLASSES))).tolist(),
        "expectedCalibrationError": calibration_error(bins),
        "reliability": bins,
    }
    if len(set(truth.tolist())) == len(CLASSES):
        figures["auroc"] = float(roc_auc_score(truth, probabilities, multi_class="ovr", average="macro"))
    return figures


def export_onnx(network, path, size=SIZE):
    """One picture a run: OpenVINO takes longer where the batch is left open."""
    network = network.cpu().eval()
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # ONNX has no operator for PyTorch's fused attention
    try:
        torch.onnx.export(
            network, (torch.zeros(1, 3, size, size),), str(path), dynamo=False, opset_version=17,
            input_names=["pictures"], output_names=["classLogits"])
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    forget_origin(str(path))


def check(network, path, size=SIZE):
    """The exported file must give PyTorch's logits in OpenVINO."""
    import openvino

    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network(x).numpy()
    gap = float(np.abs(openvino.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x.numpy())[0] - expected).max())
    if not gap <= LOGIT_TOLERANCE:
        raise RuntimeError(f"OpenVINO differs from PyTorch by {gap}")


def card_of(name, architecture, weights, size=SIZE, **more):
    """What face-node needs to serve `weights`, the bytes of model.onnx, and whatever else is to be told."""
    return {
        "name": name,
        "task": "face",
        "architecture": architecture,
        "labels": CLASSES,
        "input": {"shape": [1, 3, size, size], "normalisation": {"mean": MEAN, "standardDeviation": STANDARD_DEVIATION}},
        "settings": {},
        "sha256": hashlib.sha256(weights).hexdigest(),
        **more,
    }


def architecture_of(name):
    widths = "-".join(map(str, HEAD_WIDTHS))
    return f"{ARCHITECTURES[name][3]} (torchvision), head of {widths} with batch norm, ReLU and dropout {DROPOUT}, 3 classes"


def write_model_folder(network, history, splits, validation, options, logits_of):
    """Returns the figures of the tests by source."""
    targets = np.array([face.target for face in validation])
    temperature = fit_temperature(logits_of(network, validation, "cpu").astype(np.float64), targets)
    with torch.no_grad():
        network.head[-1].weight /= temperature
        network.head[-1].bias /= temperature
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "model.onnx"
    export_onnx(network, path)
    check(network, path)
    figures = {name: report(logits_of(network, parts.test, "cpu"), parts.test) for name, parts in splits.items()}
    best = max(range(len(history)), key=lambda epoch: history[epoch]["macroRecall"])
    recipe = (
        f"AdamW {options.learning_rate:g}, weight decay {options.weight_decay:g}, batches of {options.batch_size}, {len(history)} epochs, "
        f"best of them by macro recall on validation: {best + 1}")
    sources = [f"--{flag} DIR" for flag in ("ravdess", "ferplus", "web-faces") if getattr(options, flag.replace("-", "_"))]
    command = ["python train_original.py", f"--network {options.network}", *sources, f"--split {options.split}", f"--seed {options.seed}"]
    command += ["--pretrained FILE"] if options.pretrained else []
    command += ["--freeze-backbone"] if options.freeze_backbone else []
    command += [f"--limit {options.limit}"] if options.limit else []
    split = [SPLITS[options.split]] if "ravdess" in splits else []
    split += ["FER+: a tenth of train for validation, valid for the figures"] if "ferplus" in splits else []
    split += ["web faces: people apart"] if "webFaces" in splits else []
    card = card_of(
        f"face-{options.network}", architecture_of(options.network), path.read_bytes(),
        training={
            "data": [SOURCES[name][1] for name in splits],
            "pictures": {name: [len(parts.training), len(parts.validation), len(parts.test)] for name, parts in splits.items()},
            "pretrained": options.pretrained.name if options.pretrained else None,
            "split": "; ".join(split), "seed": options.seed, "command": " ".join(command), "recipe": recipe,
            "temperature": temperature, "history": history, "limit": options.limit, "ravdessSplit": options.split,
        },
        metrics=figures, limits=LIMITS)
    (options.out / "model.json").write_text(json.dumps(card, indent=2) + "\n")
    (options.out / "README.md").write_text(page(card))
    (options.out / "reliability.svg").write_text(diagram([(SOURCES[name][0], f["reliability"]) for name, f in figures.items()]))
    (options.out / "curves.svg").write_text(curves([
        ("Loss", {"training": [e["trainingLoss"] for e in history], "validation": [e["validationLoss"] for e in history]}),
        ("On validation", {"accuracy": [e["accuracy"] for e in history], "macro recall": [e["macroRecall"] for e in history]}),
    ]))
    return figures


def page(card):
    training = card["training"]
    lines = [
        f"# {card['name']}: positive, neutral or negative, from one face",
        "",
        f"The original system's {card['architecture']}. Serve it with `face-node --model FOLDER`. This page is written by",
        "`Models/training/face/original_card.py`; the same figures are in `model.json`.",
        "",
        "| test set | pictures | accuracy | macro recall | precision | F1 | AUROC | positive | neutral | negative | calibration error |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, figures in card["metrics"].items():
        numbers = [figures["accuracy"], figures["macroRecall"], figures["macroPrecision"], figures["macroF1"], figures.get("auroc")]
        numbers += [*figures["recall"].values(), figures["expectedCalibrationError"]]
        cells = " | ".join("" if number is None else f"{number:.3f}" for number in numbers)
        lines.append(f"| {SOURCES[name][0]} | {figures['pictures']} | {cells} |")
    lines += ["", "Columns positive, neutral, negative: recall of that class.", ""]
    for name, figures in card["metrics"].items():
        lines += [
            f"Confusion, {SOURCES[name][0]} (rows: truth, columns: answer):",
            "",
            "| | " + " | ".join(CLASSES) + " |",
            "|---|---|---|---|",
            *(f"| {label} | " + " | ".join(map(str, row)) + " |" for label, row in zip(CLASSES, figures["confusion"])),
            "",
        ]
    if int8 := card.get("int8"):
        lines += int8_section(int8, {name: title for name, (title, _) in SOURCES.items()})
    start = f"ImageNet ({training['pretrained']})" if training["pretrained"] else "random weights"
    lines += [
        "![Loss, accuracy and macro recall over the epochs](curves.svg)",
        "",
        "![Reliability diagram](reliability.svg)",
        "",
        "## Training",
        "",
        f"`{training['command']}` in `Models/training/face`. From {start}. {training['recipe']}. Flips and rotations by up to 15 degrees.",
        f"Temperature {training['temperature']:.3f}, fitted on validation, is in the weights.",
        "",
        f"Split: {training['split']}.",
        "",
        *(f"- {data}" for data in training["data"]),
        "",
        "## Input",
        "",
        "The face upright, framed as for the default network ([Models/face](../face/README.md)), RGB, 224 x 224,",
        "`(value / 255 - mean) / standardDeviation` with ImageNet's means and deviations.",
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in card["limits"]),
        "",
    ]
    return "\n".join(lines)
