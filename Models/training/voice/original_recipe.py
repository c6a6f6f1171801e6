"""AudioNetCT and AudioNetCL by the original's protocol: a random 80/10/10 split of the clips, minority classes filled up with
changed copies, the best of up to 500 epochs by validation.

The recipe is the original's too, or an improved one: every image is changed each time it is shown, pairs of images are mixed
(mixup, Zhang et al. 2018, arXiv:1710.09412), and the network that is judged is a running mean of the weights.
"""

import copy
import json
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from sklearn.model_selection import train_test_split

from ..face.curves import curves
from . import augmentation, corpora, features, metrics, model_folder, networks
from .train_audionet import augment, logits_of, standardise, standardiser, with_serving_statistics

HELD_OUT_SHARE = 0.1  # for validation, and again for the test
SIGNAL_TO_NOISE_DB = (15, 30)
PITCH_SEMITONES = 2
SETTINGS = {"batch": 128, "learningRate": 1e-3, "weightDecay": 1e-3, "dropout": 0.3}
IMPROVEMENTS = {"offset": 0.2, "mixing": 0.3, "averaging": 0.99}
"""Deviation of the coefficients' offsets; parameter of the beta distribution of the mixing shares; what a step keeps of the mean weights."""
STATISTICS_IMAGES = 512
"""So many images tell the batch norms' statistics well enough."""
TITLES = {"audionet-ct": "AudioNetCT", "audionet-cl": "AudioNetCL"}


def split(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of the clips for training, validation and test: 80/10/10 at random, each class alike. Actors are in all three."""
    held_out = round(HELD_OUT_SHARE * len(labels))
    rest, test = train_test_split(np.arange(len(labels)), test_size=held_out, random_state=seed, stratify=labels)
    training, validation = train_test_split(rest, test_size=held_out, random_state=seed + 1, stratify=labels[rest])
    return np.sort(training), np.sort(validation), np.sort(test)


def oversampled(clips: list[corpora.Clip], folder: Path, seed: int) -> list[corpora.Clip]:
    """Changed copies, as many as make every class as large as the largest. A copy follows from the seed and its number."""
    if shutil.which("ffmpeg") is None:
        raise SystemExit("ffmpeg is missing: it shifts the pitch of the copies")
    folder.mkdir(parents=True, exist_ok=True)
    by_class = [[clip for clip in clips if clip.label == label] for label in range(len(corpora.LABELS))]
    largest = max(map(len, by_class))
    copies = []
    for label, members in enumerate(by_class):
        for number in range(largest - len(members)):
            generator = np.random.default_rng([seed, label, number])
            source = members[int(generator.integers(len(members)))]
            path = folder / f"{label}-{number:04}-{source.path.stem}.wav"
            if not path.exists():
                write_copy(source.path, path, generator)
            copies.append(corpora.Clip(path, source.corpus, source.speaker, source.emotion))
            if len(copies) % 100 == 0:
                print(f"{len(copies)} changed copies", flush=True)
    return copies


def write_copy(source: Path, path: Path, generator: np.random.Generator) -> None:
    """Another pitch, at the same pace, and white noise."""
    samples = shifted(augmentation.read(source), float(generator.uniform(-PITCH_SEMITONES, PITCH_SEMITONES)))
    level = augmentation.rms(samples) * 10 ** (-generator.uniform(*SIGNAL_TO_NOISE_DB) / 20)
    noisy = np.clip(samples + level * generator.standard_normal(len(samples)), -1, 1)
    temporary = path.with_suffix(".part")
    soundfile.write(temporary, noisy, augmentation.RATE_HZ, format="WAV", subtype="PCM_16")
    temporary.rename(path)


def shifted(samples: np.ndarray, semitones: float) -> np.ndarray:
    """The pitch changed, the pace not: FFmpeg's rubberband filter."""
    raw = ["-f", "f32le", "-ar", str(augmentation.RATE_HZ), "-ac", "1"]
    command = ["ffmpeg", "-v", "error", *raw, "-i", "-", "-af", f"rubberband=pitch={2 ** (semitones / 12):.6f}", *raw, "-"]
    result = subprocess.run(command, input=samples.astype("<f4").tobytes(), stdout=subprocess.PIPE, check=True)
    output = np.frombuffer(result.stdout, "<f4").astype(np.float64)
    return np.pad(output[: len(samples)], (0, max(0, len(samples) - len(output))))


def loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy."""
    return float(-np.log(metrics.softmax(logits)[np.arange(len(labels)), labels] + 1e-12).mean())


def fit(
    architecture: str, images: torch.Tensor, labels: torch.Tensor, validation: torch.Tensor, validation_labels: np.ndarray,
    options: dict, checkpoint: Path,
) -> tuple[torch.nn.Module, list[dict]]:
    """The network of the epoch with the best macro recall on validation (of equals, that with the least loss), and the figures of
    every epoch. Goes on from the checkpoint if there is one.

    `options`: seed, epochs, patience (epochs without a better one after which it ends), recipe (original or improved)."""
    torch.manual_seed(options["seed"])
    generator = torch.Generator().manual_seed(options["seed"])
    improved = options["recipe"] == "improved"
    network = networks.AUDIO_NETS[architecture](SETTINGS["dropout"]).to(memory_format=torch.channels_last)  # a fifth faster on a CPU
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(IMPROVEMENTS["averaging"] if improved else 0.0))
    optimizer = torch.optim.AdamW(network.parameters(), SETTINGS["learningRate"], weight_decay=SETTINGS["weightDecay"])
    plan = {**SETTINGS, "seed": options["seed"], "recipe": options["recipe"], "clips": len(images)}
    history: list[dict] = []
    best: dict[str, torch.Tensor] = {}
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if state["plan"] != plan:
            raise SystemExit(f"{checkpoint} is of another run: remove it or choose another --work")
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["generator"])
        torch.set_rng_state(state["torch"])
        history, best = state["history"], state["best"]
        print(f"{architecture}: going on after epoch {len(history)}", flush=True)
    while len(history) < options["epochs"] and len(history) - best_epoch(history) <= options["patience"]:
        network.train()
        started, total = time.monotonic(), 0.0
        for rows in torch.randperm(len(images), generator=generator).split(SETTINGS["batch"]):
            batch, targets = images[rows], torch.nn.functional.one_hot(labels[rows], len(corpora.LABELS)).float()
            if improved:
                batch, targets = mixed(augment(batch, generator, IMPROVEMENTS["offset"]), targets, options["seed"], len(history), int(rows[0]))
            optimizer.zero_grad()
            batch_loss = torch.nn.functional.cross_entropy(network(batch.contiguous(memory_format=torch.channels_last)), targets)
            batch_loss.backward()
            optimizer.step()
            average.update_parameters(network)
            total += float(batch_loss.detach()) * len(rows)
        sample = images[torch.randperm(len(images), generator=generator)[:STATISTICS_IMAGES]]
        served = with_serving_statistics(copy.deepcopy(average.module), sample, generator)
        logits = logits_of(served, validation)
        figures = metrics.evaluate(metrics.softmax(logits), validation_labels)
        history.append({
            "trainingLoss": total / len(images), "validationLoss": loss(logits, validation_labels), "accuracy": figures["accuracy"],
            "macroRecall": figures["uar"]})
        if best_epoch(history) == len(history):
            best = served.state_dict()
        print(
            f"{architecture} epoch {len(history)}/{options['epochs']} {json.dumps({k: round(v, 4) for k, v in history[-1].items()})} "
            f"best {best_epoch(history)} {time.monotonic() - started:.1f} s", flush=True)
        torch.save({
            "plan": plan, "network": network.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(), "generator": generator.get_state(),
            "torch": torch.get_rng_state(), "history": history, "best": best}, checkpoint.with_suffix(".new"))
        checkpoint.with_suffix(".new").rename(checkpoint)
    network.load_state_dict(best)
    return network.eval(), history


def mixed(images: torch.Tensor, targets: torch.Tensor, *seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Each image with another of the batch, and their targets alike."""
    generator = np.random.default_rng(seed)
    share = torch.from_numpy(generator.beta(IMPROVEMENTS["mixing"], IMPROVEMENTS["mixing"], len(images)).astype(np.float32))
    other = torch.from_numpy(generator.permutation(len(images)))
    return torch.lerp(images[other], images, share[:, None, None, None]), torch.lerp(targets[other], targets, share[:, None])


def best_epoch(history: list[dict]) -> int:
    """Counted from 1; 0 before the first."""
    ranks = [(epoch["macroRecall"], -epoch["validationLoss"]) for epoch in history]
    return ranks.index(max(ranks)) + 1 if ranks else 0


def train(architecture: str, ravdess: Path, audio_node: Path, work: Path, out: Path, options: dict) -> None:
    seed = options["seed"]
    work = work / f"original-{seed}"
    work.mkdir(parents=True, exist_ok=True)
    clips = corpora.load(ravdess)
    parts = split(np.array([clip.label for clip in clips]), seed)
    training, validation, test = ([clips[i] for i in part] for part in parts)
    filled = training + oversampled(training, work / "copies", seed)
    heard = [
        features.compute(audio_node, part, "mfcc", work / f"{name}-mfcc.npy")
        for name, part in (("training", filled), ("validation", validation), ("test", test))]
    images = [np.asarray(part.images, dtype=np.float32) for part in heard]
    mean, deviation = standardiser(images[0])
    standardised = [standardise(part, mean, deviation) for part in images]
    network, history = fit(
        architecture, standardised[0], torch.from_numpy(heard[0].labels), standardised[1], heard[1].labels, options,
        work / f"{architecture}-{options['recipe']}.pt")
    temperature = metrics.best_temperature(logits_of(network, standardised[1]), heard[1].labels)
    with torch.no_grad():
        network.head.weight /= temperature
        network.head.bias /= temperature
    probabilities, labels, _ = features.per_clip(metrics.softmax(logits_of(network, standardised[2])), heard[2])
    figures = metrics.evaluate(probabilities, labels)
    print("test", figures, flush=True)
    torch.save(network.state_dict(), work / f"{architecture}-shipped.pt")
    model_folder.export(
        network, (torch.zeros(2, 1, 40, 282),), ["mfcc"], ["logits"], out / "model.onnx", takes_batches=architecture != "audionet-cl")
    sizes = {"training": len(training), "copies": len(filled) - len(training), "validation": len(validation), "test": len(test)}
    write_cards(architecture, out, figures, history, temperature, mean, deviation, sizes, options)


def write_cards(
    architecture: str, out: Path, figures: dict, history: list[dict], temperature: float, mean: np.ndarray, deviation: np.ndarray,
    sizes: dict, options: dict,
) -> None:
    title = TITLES[architecture]
    improved = options["recipe"] == "improved"
    command = f"python -m training.voice {architecture} --ravdess DIR --protocol original --seed {options['seed']}"
    command += f" --recipe {options['recipe']} --epochs {options['epochs']} --patience {options['patience']}"
    protocol = (
        f"the original's: the clips at random, 80/10/10 ({sizes['training']} for training, {sizes['copies']} changed copies of minority classes "
        f"beside them, {sizes['validation']} to choose the epoch and the temperature, {sizes['test']} for the figures). The same actors speak "
        "in all parts: on people not met before it is far worse (measured by --protocol actors)")
    limits = [
        "Trained on acted North American English in a studio only: near chance on other languages is to be expected.",
        "The figures are on actors that it was trained on.",
        "The labels say how a voice sounds to others, not what a person feels.",
        "Non-commercial: the training data is CC BY-NC-SA 4.0.",
    ]
    card = {
        "name": f"voice-{architecture}", "task": "voice", "architecture": title, **model_folder.mfcc_front_end(mean, deviation),
        "training": {
            "data": "RAVDESS speech (Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391)",
            "licence": model_folder.RAVDESS_LICENCE,
            "split": protocol, "clips": sizes, "seed": options["seed"], "settings": SETTINGS | options | (IMPROVEMENTS if improved else {}), "command": command,
            "bestEpoch": best_epoch(history), "temperature": round(temperature, 4), "history": history},
        "metrics": {"ravdessRandomSplit": figures},
        "limits": limits,
    }
    changed = (
        "\nBeside that, and unlike the original: every image was changed each time it was shown (levels, shifts in time, masks), pairs of "
        "images were mixed,\nand the network is a running mean of the weights." if improved else "")
    readme = f"""# {title} for the voice

The original system's {title} on MFCC images (40 x 282), trained on RAVDESS speech by the original's recipe{", improved" if improved else ""}.

| measured on clips left out at random | |
| --- | --- |
| accuracy | {figures["accuracy"]:.3f} |
| UAR (macro recall) | {figures["uar"]:.3f} |
| precision (macro) | {figures["precision"]:.3f} |
| F1 (macro) | {figures["f1"]:.3f} |
| AUROC | {figures.get("auroc", float("nan")):.3f} |
| calibration error (ECE, 15 bins) | {figures["ece"]:.3f} |

{model_folder.confusion_table(figures["confusion"])}

![Loss, accuracy and macro recall over the epochs](curves.svg)

Protocol: {protocol}.

Recipe: AdamW {SETTINGS["learningRate"]:g}, weight decay {SETTINGS["weightDecay"]:g}, dropout {SETTINGS["dropout"]}, batches of {SETTINGS["batch"]}, {len(history)} epochs, the best of them
({best_epoch(history)}) by macro recall on validation. Copies: pitch by up to {PITCH_SEMITONES} semitones either way, white noise at
{SIGNAL_TO_NOISE_DB[0]} to {SIGNAL_TO_NOISE_DB[1]} dB SNR.{changed} The one temperature ({temperature:.2f}, already in the weights) was set on validation.

Data: RAVDESS (Livingstone & Russo 2018), CC BY-NC-SA 4.0. **These weights are therefore for non-commercial use.** Classes:
positive = happy, surprised; neutral = neutral, calm; negative = sad, angry, fearful, disgust.

Made by, in `Models/`: `{command}` (features by `audio-node features`).

Limits:

""" + "".join(f"- {limit}\n" for limit in limits)
    model_folder.write_card(out, card, readme)
    (out / "curves.svg").write_text(curves([
        ("Loss", {"training": [e["trainingLoss"] for e in history], "validation": [e["validationLoss"] for e in history]}),
        ("On validation", {"accuracy": [e["accuracy"] for e in history], "macro recall": [e["macroRecall"] for e in history]}),
    ]))
