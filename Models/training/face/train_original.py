#!/usr/bin/env python3
"""Train one of the original's face networks by its recipe, export it, and write its card.

    python train_original.py --network vit-b-16 --pretrained vit_b_16-c867db91.pth --ravdess ravdess-faces --out ../../face-vit
    python train_original.py --network densenet121 --ferplus DIR --web-faces DIR --out ../../face-densenet

--ravdess is a folder of faces, as ravdess_frames.py makes it. Interrupted, the same command goes on from the last checkpoint
in --work and gives the same weights as an undisturbed run on the same machine.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import recall_score
from torch.nn import functional as F

import original_card
import original_networks
from original_pictures import Pictures, Split, load_ferplus_split, load_ravdess, load_web_faces_split

CHECKPOINT_SECONDS = 300


def arguments(values=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", required=True, choices=list(original_networks.ARCHITECTURES))
    parser.add_argument("--pretrained", type=Path, help="torchvision's ImageNet weights of it (a state dict); without: from scratch")
    parser.add_argument("--ravdess", type=Path, help="folder of RAVDESS faces")
    parser.add_argument("--ferplus", type=Path, help="folder with votes.csv, train/ and valid/")
    parser.add_argument("--web-faces", type=Path, help="folder with labels.csv and the pictures")
    parser.add_argument(
        "--split", choices=["persons", "random"], default="persons",
        help="RAVDESS's: persons: nobody is in two parts; random: pictures at random, subjects overlap (the original has both)")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--work", type=Path, help="folder for checkpoints (default: work-NETWORK)")
    parser.add_argument("--freeze-backbone", action="store_true", help="train the head alone")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--limit", type=int, help="at most so many pictures in each part: for a trial")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=0, help="processes that make pictures; 0: this one")
    options = parser.parse_args(values)
    if not (options.ravdess or options.ferplus or options.web_faces):
        parser.error("name pictures to train on: --ravdess, --ferplus or --web-faces")
    options.work = options.work or Path(f"work-{options.network}")
    return options


def load(options):
    """By name of the source, its Split."""
    found = {}
    if options.ravdess:
        found["ravdess"] = load_ravdess(options.ravdess, options.seed, by_person=options.split == "persons")
    if options.ferplus:
        found["ferplus"] = load_ferplus_split(options.ferplus, options.seed)
    if options.web_faces:
        found["webFaces"] = load_web_faces_split(options.web_faces, options.seed)
    if options.limit:
        for name, parts in found.items():
            found[name] = Split(*(sample(part, options) for part in (parts.training, parts.validation, parts.test)))
    return found


def sample(faces, options):
    chosen = np.random.default_rng(options.seed).permutation(len(faces))[: options.limit]
    return [faces[i] for i in sorted(chosen)]


def plan(options, training, validation):
    """What a checkpoint must have in common with a run that goes on from it. More epochs may be asked for later."""
    names = ("network", "split", "freeze_backbone", "batch_size", "learning_rate", "weight_decay", "limit", "seed", "device")
    return {name: getattr(options, name) for name in names} | {
        "pretrained": options.pretrained and options.pretrained.name, "training": len(training), "validation": len(validation)}


def set_training(network, freeze_backbone):
    network.train()
    if freeze_backbone:
        network.backbone.eval()  # its batch norms keep their statistics


@torch.no_grad()
def logits_of(network, faces, device, batch_size=64, workers=0):
    """(n, 3) of faces as they are."""
    network.eval()
    loader = torch.utils.data.DataLoader(Pictures(faces), batch_size, num_workers=workers)
    return np.concatenate([network(pictures.to(device)).cpu().numpy() for pictures, _ in loader])


def epoch_figures(logits, faces, training_loss):
    targets = np.array([face.target for face in faces])
    log_probabilities = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    truth, guess = targets.argmax(axis=1), logits.argmax(axis=1)
    return {
        "trainingLoss": training_loss,
        "validationLoss": float(-(targets * log_probabilities).sum(axis=1).mean()),
        "accuracy": float((truth == guess).mean()),
        "macroRecall": float(recall_score(truth, guess, average="macro", zero_division=0)),
    }


def save(path, content):
    torch.save(content, str(path) + ".new")
    os.replace(str(path) + ".new", path)


def train(options, training, validation):
    """The network of the epoch with the best macro recall on validation, and the figures of every epoch."""
    device = torch.device(options.device)
    torch.manual_seed(options.seed)
    checkpoint_path, best_path = options.work / "checkpoint.pt", options.work / "best.pt"
    going_on = checkpoint_path.exists()
    network = original_networks.make(options.network, None if going_on else options.pretrained).to(device)
    if options.freeze_backbone:
        network.backbone.requires_grad_(False)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=options.learning_rate, weight_decay=options.weight_decay)
    steps_per_epoch = len(training) // options.batch_size
    if steps_per_epoch == 0:
        sys.exit(f"{len(training)} pictures are too few for batches of {options.batch_size}")
    state = {"step": 0, "lossSum": 0.0, "history": []}
    if going_on:
        checkpoint = torch.load(checkpoint_path, map_location=device, weights_only=True)
        if checkpoint["plan"] != plan(options, training, validation):
            sys.exit(f"{checkpoint_path} is of another run: remove it or choose another --work")
        network.load_state_dict(checkpoint["network"])
        optimiser.load_state_dict(checkpoint["optimiser"])
        state = checkpoint["state"]
        print(f"going on at step {state['step']} of {options.epochs * steps_per_epoch}", flush=True)

    def keep():
        save(checkpoint_path, {
            "plan": plan(options, training, validation), "network": network.state_dict(), "optimiser": optimiser.state_dict(), "state": state})

    pictures = Pictures(training, options.seed)
    started, first_step, kept = time.monotonic(), state["step"], time.monotonic()
    step_count = options.epochs * steps_per_epoch
    while state["step"] < step_count:
        epoch, first_batch = divmod(state["step"], steps_per_epoch)
        order = np.random.default_rng([options.seed, epoch]).permutation(len(training)).tolist()
        batches = [order[b * options.batch_size : (b + 1) * options.batch_size] for b in range(first_batch, steps_per_epoch)]
        pictures.epoch = epoch
        set_training(network, options.freeze_backbone)
        for x, targets in torch.utils.data.DataLoader(pictures, batch_sampler=batches, num_workers=options.workers):
            torch.manual_seed(options.seed * 1_000_003 + state["step"])  # dropout
            loss = F.cross_entropy(network(x.to(device)), targets.to(device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            state["step"] += 1
            state["lossSum"] += loss.item()
            step = state["step"]
            if step % 10 == 0:
                seconds = (time.monotonic() - started) / (step - first_step)
                print(
                    f"epoch {epoch + 1}/{options.epochs} step {step}/{step_count} loss {loss.item():.4f} {seconds:.2f} s/step, "
                    f"{seconds * (step_count - step) / 60:.0f} min left", flush=True)
            if time.monotonic() - kept > CHECKPOINT_SECONDS and step % steps_per_epoch:
                keep()
                kept = time.monotonic()
        figures = epoch_figures(
            logits_of(network, validation, device, workers=options.workers), validation, state["lossSum"] / steps_per_epoch)
        if figures["macroRecall"] > max((past["macroRecall"] for past in state["history"]), default=-1):
            save(best_path, network.state_dict())
        state["history"].append(figures)
        state["lossSum"] = 0.0
        print("  validation: " + " ".join(f"{name} {value:.4f}" for name, value in figures.items()), flush=True)
        keep()
        kept = time.monotonic()
    network.load_state_dict(torch.load(best_path, map_location=device, weights_only=True))
    return network.cpu().eval(), state["history"]


def main():
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    splits = load(options)
    training = [face for parts in splits.values() for face in parts.training]
    validation = [face for parts in splits.values() for face in parts.validation]
    print({name: [len(parts.training), len(parts.validation), len(parts.test)] for name, parts in splits.items()}, flush=True)
    network, history = train(options, training, validation)
    figures = original_card.write_model_folder(network, history, splits, validation, options, logits_of)
    print(json.dumps(figures, indent=1), flush=True)


if __name__ == "__main__":
    main()
