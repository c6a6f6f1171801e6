"""AudioNetCT and AudioNetCL on RAVDESS: 5 folds of unseen actors for the figures, then all actors for the weights."""

import time
from pathlib import Path

import numpy as np
import torch

from . import corpora, features, metrics, model_folder, networks

FOLDS = 5
SETTINGS = {"epochs": 12, "batch": 32, "learningRate": 1e-3, "weightDecay": 1e-3, "dropout": 0.3, "seed": 1}


def augment(images: torch.Tensor, generator: torch.Generator, offset: float = 0.5) -> torch.Tensor:
    """On standardised images: other levels and microphones (an offset for each coefficient, of this deviation), shifts in time,
    masks of time and of coefficients."""
    images = images + offset * torch.randn((*images.shape[:-1], 1), generator=generator)
    for image in images:
        shift, width, height = (int(torch.randint(0, limit, (1,), generator=generator)) for limit in (282, 40, 6))
        image.copy_(torch.roll(image, shift, dims=-1))
        start = int(torch.randint(0, image.shape[-1] - width, (1,), generator=generator))
        image[..., start : start + width] = 0
        start = int(torch.randint(0, image.shape[-2] - height, (1,), generator=generator))
        image[..., start : start + height, :] = 0
    return images


def fit(architecture: str, images: torch.Tensor, labels: torch.Tensor, name: str, checkpoint: Path) -> torch.nn.Module:
    """Trains on standardised images for a fixed number of epochs; goes on from the checkpoint if there is one."""
    torch.manual_seed(SETTINGS["seed"])
    generator = torch.Generator().manual_seed(SETTINGS["seed"])
    network = networks.AUDIO_NETS[architecture](SETTINGS["dropout"])
    epochs, batch = SETTINGS["epochs"], SETTINGS["batch"]
    optimizer = torch.optim.AdamW(network.parameters(), SETTINGS["learningRate"], weight_decay=SETTINGS["weightDecay"])
    steps = -(-len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, SETTINGS["learningRate"], total_steps=epochs * steps)
    counts = torch.bincount(labels, minlength=3).float()
    loss_of = torch.nn.CrossEntropyLoss(weight=counts.sum() / (3 * counts), label_smoothing=0.05)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=False)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        generator.set_state(state["generator"])
        torch.set_rng_state(state["torch"])
        first = state["epoch"]
    for epoch in range(first, epochs):
        network.train()
        started, total = time.monotonic(), 0.0
        for rows in torch.randperm(len(images), generator=generator).split(batch):
            optimizer.zero_grad()
            loss = loss_of(network(augment(images[rows], generator)), labels[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(rows)
        print(f"{name} epoch {epoch + 1}/{epochs} loss {total / len(images):.4f} {time.monotonic() - started:.0f} s", flush=True)
        torch.save({
            "network": network.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(),
            "generator": generator.get_state(), "torch": torch.get_rng_state(), "epoch": epoch + 1}, checkpoint)
    return with_serving_statistics(network, images, generator)


def with_serving_statistics(network: torch.nn.Module, images: torch.Tensor, generator: torch.Generator) -> torch.nn.Module:
    """Measures the batch norms' statistics again with dropout off: what comes out of dropout varies more in training than
    it will in service, and the norms after it would be wrong by that."""
    network.eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the plain mean over all batches
            module.train()
    with torch.no_grad():
        for part in images[torch.randperm(len(images), generator=generator)].split(64):
            network(part)
    return network.eval()


def standardiser(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each coefficient."""
    return images.mean(axis=(0, 2), dtype=np.float64), images.std(axis=(0, 2), dtype=np.float64)


def standardise(images: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(((images - mean[None, :, None]) / deviation[None, :, None]).astype(np.float32)).unsqueeze(1)


def logits_of(network: torch.nn.Module, images: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return torch.cat([network(part) for part in images.split(128)]).numpy()


def train(architecture: str, ravdess: Path, audio_node: Path, work: Path, out: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    clips = corpora.load(ravdess)
    data = features.compute(audio_node, clips, "mfcc", work / "ravdess-mfcc.npy")
    images, labels = np.asarray(data.images, dtype=np.float32), data.labels
    actors = sorted(set(data.speakers))
    fold_of = {actor: i * FOLDS // len(actors) for i, actor in enumerate(actors)}
    folds = np.array([fold_of[speaker] for speaker in data.speakers])

    held_out = np.zeros((len(labels), 3), np.float32)
    for fold in range(FOLDS):
        result = work / f"{architecture}-fold{fold}-logits.npy"
        if not result.exists():
            mean, deviation = standardiser(images[folds != fold])
            network = fit(
                architecture, standardise(images[folds != fold], mean, deviation), torch.from_numpy(labels[folds != fold]),
                f"{architecture} fold {fold + 1}/{FOLDS}", work / f"{architecture}-fold{fold}.pt")
            np.save(result, logits_of(network, standardise(images[folds == fold], mean, deviation)))
        held_out[folds == fold] = np.load(result)
        print(f"fold {fold + 1}", metrics.evaluate(metrics.softmax(held_out[folds == fold]), labels[folds == fold]), flush=True)

    temperature = metrics.best_temperature(held_out, labels)
    probabilities, clip_labels, _ = features.per_clip(metrics.softmax(held_out / temperature), data)
    figures = metrics.evaluate(probabilities, clip_labels)
    fold_uars = [metrics.evaluate(metrics.softmax(held_out[folds == f]), labels[folds == f])["uar"] for f in range(FOLDS)]
    print("all folds", figures, flush=True)

    mean, deviation = standardiser(images)
    network = fit(
        architecture, standardise(images, mean, deviation), torch.from_numpy(labels), f"{architecture} all actors",
        work / f"{architecture}-all.pt")
    with torch.no_grad():
        network.head.weight /= temperature
        network.head.bias /= temperature
    torch.save(network.state_dict(), work / f"{architecture}-shipped.pt")
    model_folder.export(
        network, (torch.zeros(2, 1, 40, 282),), ["mfcc"], ["logits"], out / "model.onnx", takes_batches=architecture != "audionet-cl")
    write_cards(architecture, out, figures, fold_uars, temperature, mean, deviation, len(actors), len(clips))


def write_cards(architecture, out, figures, fold_uars, temperature, mean, deviation, actors, clips) -> None:
    title = {"audionet-ct": "AudioNetCT", "audionet-cl": "AudioNetCL"}[architecture]
    command = f"python -m training.voice {architecture} --ravdess DIR"
    protocol = f"{FOLDS} folds of {actors // FOLDS} unseen actors each; fixed number of epochs, the recipe (augmentation, learning rate, batch-norm statistics) was changed twice after looking at held-out folds, and the temperature was chosen on them, so the figures flatter a little"
    limits = [
        "Trained on acted North American English in a studio only: near chance on other languages is to be expected.",
        "The labels say how a voice sounds to others, not what a person feels.",
        "Non-commercial: the training data is CC BY-NC-SA 4.0.",
    ]
    card = {
        "name": f"voice-{architecture}", "task": "voice", "architecture": title, **model_folder.mfcc_front_end(mean, deviation),
        "training": {
            "data": f"RAVDESS speech, {actors} actors, {clips} clips (Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391)",
            "licence": model_folder.RAVDESS_LICENCE,
            "split": protocol, "seed": SETTINGS["seed"], "settings": SETTINGS, "command": command,
            "temperature": round(temperature, 4)},
        "metrics": {"ravdessUnseenActors": figures, "uarOfFolds": fold_uars},
        "limits": limits,
    }
    readme = f"""# {title} for the voice

The original system's {title} on MFCC images (40 x 282), trained on RAVDESS speech.

| measured on unseen actors | |
| --- | --- |
| accuracy | {figures["accuracy"]:.3f} |
| UAR (macro recall) | {figures["uar"]:.3f} (folds: {", ".join(f"{u:.3f}" for u in fold_uars)}) |
| F1 (macro) | {figures["f1"]:.3f} |
| AUROC | {figures.get("auroc", float("nan")):.3f} |
| calibration error (ECE, 15 bins) | {figures["ece"]:.3f} |

{model_folder.confusion_table(figures["confusion"])}

Protocol: {protocol}. The shipped weights are then trained on all {actors} actors by the same recipe. The one temperature
({temperature:.2f}, already in the weights) was set on the pooled held-out logits.

Data: RAVDESS (Livingstone & Russo 2018), {clips} clips of {actors} actors, CC BY-NC-SA 4.0. **These weights are therefore for
non-commercial use.** Classes: positive = happy, surprised; neutral = neutral, calm; negative = sad, angry, fearful, disgust.

Made by, in `Models/`: `{command}` (seed {SETTINGS["seed"]}; features by `audio-node features`).

Limits:

""" + "".join(f"- {limit}\n" for limit in limits)
    model_folder.write_card(out, card, readme)
