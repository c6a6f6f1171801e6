"""Quantise the exported voice network to 8 bits, measure what that costs, and note it in the card.

    python -m training.voice.quantise voice --train RAVDESS nEMO EMOVO --test TESS TurEV --work WORK

Post-training quantisation by NNCF on OpenVINO's form of the network, with its settings for transformers (SmoothQuant, Xiao et al. 2023,
arXiv:2211.10438). The convolutions stay in floats: of the network's cost they are a small part, of the loss most. Ranges are from training
windows. Judged on the corpora that are for evaluation only; nothing is written if
macro recall falls by more than a point on one of them, without or with the personal baseline. --work: as in training.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import nncf
import numpy as np
import openvino

from . import corpora, features, metrics
from .baseline import Baseline, Outputs
from .features import Features
from .train_voice import folder_for
from .voice_card import NAMES

CALIBRATION_WINDOWS = 300
SEED = 20261128
GREATEST_LOSS = 0.01
# How much of the spread of activations goes to the weights. NNCF's own 0.95 changes the label in 2.6 % of windows, this in 0.9 %.
SMOOTHING = 0.7
SECTION = "## In 8 bits"


def inputs_of(data: Features, row: int) -> list[np.ndarray]:
    return [np.asarray(data.images[row : row + 1], dtype=np.float32), data.weights[row : row + 1]]


def outputs_of(model, data: Features, population: np.ndarray) -> Outputs:
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    rows = []
    for row in range(len(data.clips)):
        found = request.infer(inputs_of(data, row))
        rows.append(np.concatenate([found[0][0], found[1][0]]))
    rows = np.array(rows, dtype=float)
    return Outputs(data, rows[:, :3], rows[:, 3:], np.tile(population, (len(rows), 1)), data.speakers)


def figures_of(outputs: Outputs, baseline: Baseline) -> dict[str, dict[str, float]]:
    """Macro recall per clip by corpus, without and with the baseline of all of a speaker's clips."""
    figures = {}
    for name in sorted(set(outputs.data.corpora)):
        part = outputs.of(outputs.data.corpora == name)
        figures[name] = {}
        for kind, logits in (("plain", part.plain), ("personal", baseline.knowing_all(part, part.plain))):
            probabilities, labels, _ = features.per_clip(metrics.softmax(logits), part.data)
            figures[name][kind] = round(metrics.evaluate(probabilities, labels)["uar"], 4)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="model folder that training wrote")
    parser.add_argument("--train", type=Path, nargs="+", required=True)
    parser.add_argument("--test", type=Path, nargs="+", required=True)
    parser.add_argument("--audio-node", type=Path, default=Path("../.build/release/audio-node"))
    parser.add_argument("--work", type=Path, default=Path("../out/training/voice"))
    options = parser.parse_args()

    def clips(folders: list[Path], wanted: bool) -> list[corpora.Clip]:
        return [clip for folder in folders for clip in corpora.load(folder) if (clip.corpus in corpora.EVALUATION_ONLY) == wanted]

    training_clips, test_clips = clips(options.train, False), clips(options.test, True)
    work = folder_for(training_clips, options.work)
    training = features.compute(options.audio_node, training_clips, "log-mel", work / "train-mel.npy")
    test = features.compute(options.audio_node, test_clips, "log-mel", folder_for(test_clips, work) / "test-mel.npy")
    card_path = options.folder / "model.json"
    card = json.loads(card_path.read_text())
    constants = card["settings"]["baseline"]
    baseline = Baseline(np.array(constants["bias"]), 1.0, constants["shrinkageWindows"], constants["mixingWindows"])
    population = np.array(constants["populationMeanRelativeLogits"])

    chosen = np.random.default_rng(SEED).permutation(len(training.clips))[:CALIBRATION_WINDOWS]
    reference = openvino.convert_model(options.folder / "model.onnx")
    quantised = nncf.quantize(
        openvino.convert_model(options.folder / "model.onnx"), nncf.Dataset([inputs_of(training, int(row)) for row in chosen]),
        subset_size=CALIBRATION_WINDOWS, model_type=nncf.ModelType.TRANSFORMER, ignored_scope=nncf.IgnoredScope(types=["Convolution"]),
        advanced_parameters=nncf.AdvancedQuantizationParameters(smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=SMOOTHING)))
    for part in (["nncf"], ["conversion_parameters"]):  # notes of the tools that no program reads
        if quantised.has_rt_info(part):
            quantised.set_rt_info("", part)

    outputs = {name: outputs_of(model, test, population) for name, model in (("f32", reference), ("int8", quantised))}
    figures = {name: figures_of(found, baseline) for name, found in outputs.items()}
    agreement = float(np.mean(outputs["f32"].plain.argmax(axis=1) == outputs["int8"].plain.argmax(axis=1)))
    print(json.dumps(figures, indent=1), f"same label in {agreement:.1%} of windows", flush=True)
    losses = [figures["f32"][corpus][kind] - figures["int8"][corpus][kind] for corpus in figures["f32"] for kind in ("plain", "personal")]
    if max(losses) > GREATEST_LOSS:
        sys.exit("too much is lost; nothing written")

    path = options.folder / "model.int8.xml"
    openvino.save_model(quantised, path, compress_to_fp16=False)
    card["int8"] = {
        "sha256": hashlib.sha256(path.read_bytes() + path.with_suffix(".bin").read_bytes()).hexdigest(),
        "calibration": f"{CALIBRATION_WINDOWS} windows of the training corpora, seed {SEED}; NNCF {nncf.__version__}",
        "uar": figures["int8"], "uarInFloat": figures["f32"], "sameLabel": round(agreement, 4)}
    card_path.write_text(json.dumps(card, indent=2) + "\n")
    page = options.folder / "README.md"
    page.write_text(page.read_text().split(SECTION)[0].rstrip() + "\n\n" + section(card["int8"]))


def section(int8: dict) -> str:
    rows = "".join(
        f"| {NAMES[name]} | {int8['uarInFloat'][name]['plain']:.3f} | {found['plain']:.3f} | "
        f"{int8['uarInFloat'][name]['personal']:.3f} | {found['personal']:.3f} |\n" for name, found in int8["uar"].items())
    return f"""{SECTION}

`audio-node --precision auto` (the default) takes the same network quantised where the processor has instructions for it, at less than half of the cost;
`--precision f32` the one above. Made by `python -m training.voice.quantise voice --train ... --test ...`: {int8["calibration"]}. The same label
in {int8["sameLabel"]:.1%} of the windows (those by which the smoothing of {SMOOTHING} was chosen). UAR:

| corpus | in floats | in 8 bits | with baseline, in floats | in 8 bits |
| --- | --- | --- | --- | --- |
{rows}"""


if __name__ == "__main__":
    main()
