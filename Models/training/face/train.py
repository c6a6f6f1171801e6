#!/usr/bin/env python3
"""Train the default face network, calibrate it, export it, and write its card.

    python train.py --ferplus DIR --web-faces DIR --pretrained efficientnet-lite0-57934424.pth --out ../../face

Interrupted, the same command goes on from the last checkpoint in --work and gives the same weights as an undisturbed run
on the same machine (fixed seeds; the random numbers of a picture depend on the epoch and the picture alone).
"""

import argparse
import copy
import ctypes
import datetime
import math
import os
import sys
import time

import numpy as np
import torch
import torch.distributed as distributed
from torch.nn import functional as F

import export
from evaluate import logits_of, report
from network import FaceNetwork, fold
from pictures import augmented, load_ferplus, load_web_faces, standardised
from start import load_exported

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../Tests/FaceTests/Fixtures/face-logits.json")
WARM_UP_STEPS = 200
WEIGHT_DECAY = 0.02
CLASS_LOSS_WEIGHT = 1.0
EMOTION_LOSS_WEIGHT = 0.5
AVERAGE_DECAY = 0.998
WEB_FACE_WEIGHT = 0.5
# The running average of the weights is brought up to date every so many steps.
AVERAGE_INTERVAL = 4


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferplus", required=True, help="folder with votes.csv, train/ and valid/")
    parser.add_argument("--web-faces", required=True, help="folder with labels.csv and the pictures")
    parser.add_argument("--pretrained", required=True, help="ImageNet checkpoint of EfficientNet-Lite0")
    parser.add_argument("--out", required=True, help="model folder to write: model.onnx, model.json, README.md")
    parser.add_argument("--golden", default=GOLDEN, help="file for the test vectors of the Swift tests")
    parser.add_argument("--note", default="", help="a sentence for the card")
    parser.add_argument("--work", default="work-face", help="folder for checkpoints")
    parser.add_argument("--start", help="model.onnx of an earlier run to begin with, instead of the ImageNet checkpoint")
    parser.add_argument(
        "--phases", default="64:12,96:6",
        help="side of the pictures in pixels, and epochs with it, in order: the last is exported. 64:0 only exports --start anew")
    parser.add_argument("--decay-epochs", type=int, default=8, help="last epochs, over which the learning rate falls to nothing")
    parser.add_argument("--peak-learning-rate", type=float, default=8e-4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=20240521)
    parser.add_argument("--workers", type=int, default=2, help="processes, one core each; each takes its share of every batch")
    options = parser.parse_args()
    options.sizes = []  # by epoch
    for phase in options.phases.split(","):
        size, epochs = map(int, phase.split(":"))
        options.sizes += [size] * epochs
        options.size = size
    options.schedule = [
        f"--phases {options.phases}", f"--decay-epochs {options.decay_epochs}",
        f"--peak-learning-rate {options.peak_learning_rate}", f"--batch-size {options.batch_size}",
    ]
    options.schedule += ["--start EARLIER/model.onnx"] if options.start else []
    return options


def keep_freed_memory():
    """Have malloc keep the large blocks that every step frees and asks for again: a quarter faster on CPUs."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD
    except OSError:
        pass  # another C library: only slower


def learning_rate(step, steps_per_epoch, options):
    """Linear warm-up, level, then down to nothing as 1 - sqrt(share of the decay that is over) (Haegele et al. 2024).
    Level until the end is near, a run can be made longer or shorter while it is under way."""
    step_count = steps_per_epoch * len(options.sizes)
    decay_steps = steps_per_epoch * options.decay_epochs
    over = max(0.0, (step - (step_count - decay_steps)) / decay_steps)
    return options.peak_learning_rate * min(1.0, (step + 1) / WARM_UP_STEPS) * (1 - math.sqrt(over))


def plan_so_far(step, steps_per_epoch, options):
    """Picture size and learning rate of the epochs that have begun: a checkpoint is gone on from if they are as planned."""
    epochs = range(-(-step // steps_per_epoch))
    return [(options.sizes[e], learning_rate(e * steps_per_epoch, steps_per_epoch, options)) for e in epochs]


def loss_of(emotion_logits, targets, class_targets, weights):
    """Cross-entropy with the annotators' distribution, over the three classes and over the eight emotions."""
    class_loss = -(class_targets * fold(emotion_logits)).sum(dim=1)
    emotion_loss = -(targets * F.log_softmax(emotion_logits, dim=1)).sum(dim=1)
    return ((CLASS_LOSS_WEIGHT * class_loss + EMOTION_LOSS_WEIGHT * emotion_loss) * weights).sum() / weights.sum()


def balancing_weights(class_targets):
    """(n,): what a picture counts by its classes. Rarer classes count more, by the root of how rare they are."""
    shares = class_targets.mean(axis=0)
    by_class = np.sqrt(shares.mean() / shares)
    return (class_targets @ by_class).astype(np.float32)


@torch.no_grad()
def update_average(average, network, decay):
    for kept, now in zip(average.state_dict().values(), network.state_dict().values()):
        if kept.dtype.is_floating_point:
            kept.lerp_(now, 1 - decay)


def average_gradients(network, workers):
    """Every worker goes on with the mean of all workers' gradients, so all keep the same weights."""
    if workers == 1:
        return
    parameters = [p for p in network.parameters() if p.grad is not None]
    flat = torch.cat([p.grad.reshape(-1) for p in parameters])
    distributed.all_reduce(flat)
    flat /= workers
    start = 0
    for parameter in parameters:
        parameter.grad.copy_(flat[start : start + parameter.numel()].view_as(parameter))
        start += parameter.numel()


def share_statistics(network, workers):
    """Batch-norm statistics are each worker's own: those of the first one count."""
    if workers > 1:
        for buffer in network.buffers():
            distributed.broadcast(buffer, 0)


def train(options, worker, training, validation):
    """Runs in every worker; the first one saves, reports, and gets the running average of the weights back."""
    torch.manual_seed(options.seed)
    network = FaceNetwork()
    checkpoint_path = os.path.join(options.work, "checkpoint.pt")
    if os.path.exists(checkpoint_path):
        pass  # its weights follow below
    elif options.start:
        load_exported(network, options.start, training, options.sizes[0] if options.sizes else options.size, options.seed)
    else:
        network.backbone.load_imagenet(options.pretrained)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.03
    network = network.to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval()
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}],
        lr=options.peak_learning_rate, fused=True,
    )
    steps_per_epoch = len(training) // options.batch_size
    step_count = steps_per_epoch * len(options.sizes)
    class_targets = training.class_targets()
    weights = training.weights * balancing_weights(class_targets)
    first_step = 0
    if os.path.exists(checkpoint_path):
        checkpoint = torch.load(checkpoint_path, weights_only=False)
        past = [plan_so_far(checkpoint["step"], steps_per_epoch, options), options.seed]
        if past != checkpoint["past"]:
            sys.exit(f"{checkpoint_path} is of another run: remove it or choose another --work")
        network.load_state_dict(checkpoint["network"])
        average.load_state_dict(checkpoint["average"])
        optimiser.load_state_dict(checkpoint["optimiser"])
        first_step = checkpoint["step"]
        if worker == 0:
            print(f"going on at step {first_step} of {step_count}", flush=True)

    started, running = time.monotonic(), None
    for step in range(first_step, step_count):
        epoch, batch = divmod(step, steps_per_epoch)
        size = options.sizes[epoch]
        order = np.random.default_rng([options.seed, epoch]).permutation(len(training))
        if batch == 0 or step == first_step:
            share_statistics(network, options.workers)
        chosen = order[batch * options.batch_size : (batch + 1) * options.batch_size][worker :: options.workers]
        images = [augmented(training.images[i], size, np.random.default_rng([options.seed, epoch, int(i)])) for i in chosen]
        x = torch.from_numpy(standardised(images)).contiguous(memory_format=torch.channels_last)
        torch.manual_seed((options.seed * 1_000_003 + step) * options.workers + worker)  # dropout
        network.train()
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps_per_epoch, options)
        _, emotion_logits = network(x)
        loss = loss_of(
            emotion_logits,
            torch.from_numpy(training.targets[chosen]),
            torch.from_numpy(class_targets[chosen]),
            torch.from_numpy(weights[chosen]),
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(network, options.workers)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        if worker > 0:
            continue
        if (step + 1) % AVERAGE_INTERVAL == 0:
            update_average(average, network, decay=min(AVERAGE_DECAY, (1 + step) / (10 + step)) ** AVERAGE_INTERVAL)
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % 25 == 0:
            seconds = (time.monotonic() - started) / (step + 1 - first_step)
            print(
                f"epoch {epoch + 1}/{len(options.sizes)} step {step + 1}/{step_count} {size} px loss {running:.4f} "
                f"{seconds:.2f} s/step, {seconds * (step_count - step - 1) / 60:.0f} min left",
                flush=True,
            )
        if (step + 1) % 100 == 0 or step + 1 == step_count:
            save(
                checkpoint_path,
                {
                    "network": network.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(),
                    "step": step + 1, "past": [plan_so_far(step + 1, steps_per_epoch, options), options.seed],
                },
            )
        if (step + 1) % steps_per_epoch == 0:
            for name, pictures in validation.items():
                figures = report(logits_of(average, pictures, size), pictures)
                print(f"  {name}: accuracy {figures['accuracy']:.4f} macro recall {figures['macroRecall']:.4f}", flush=True)
    return average


def save(path, content):
    torch.save(content, path + ".new")
    os.replace(path + ".new", path)


def load(options):
    training = load_ferplus(options.ferplus, "train") + load_web_faces(options.web_faces, False, WEB_FACE_WEIGHT)
    validation = {
        "ferplusValid": load_ferplus(options.ferplus, "valid"),
        "ferplusValidMajority": load_ferplus(options.ferplus, "valid", majority_only=True),
        "webFacesHeldOut": load_web_faces(options.web_faces, True),
    }
    return training, validation


def work(worker, options):
    keep_freed_memory()
    torch.set_num_threads(1)
    training, validation = load(options)
    if worker == 0:
        print({"training": len(training), **{name: len(pictures) for name, pictures in validation.items()}}, flush=True)
    if options.workers > 1:
        meeting = "file://" + os.path.abspath(os.path.join(options.work, "workers-" + str(os.getppid())))
        distributed.init_process_group(
            "gloo", init_method=meeting, rank=worker, world_size=options.workers, timeout=datetime.timedelta(hours=2))
    network = train(options, worker, training, validation)
    if worker == 0:
        export.write_model_folder(network, validation, options)


def main():
    options = arguments()
    os.makedirs(options.work, exist_ok=True)
    if options.workers == 1:
        work(0, options)
    else:
        torch.multiprocessing.spawn(work, args=(options,), nprocs=options.workers)


if __name__ == "__main__":
    main()
