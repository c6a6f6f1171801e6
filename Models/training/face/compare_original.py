#!/usr/bin/env python3
"""Does face-node compute what PyTorch computes, and how much faster? For one of the original's networks.

    python compare_original.py --network vit-b-16 --pictures DIR
    python compare_original.py --network vit-b-16 --weights work-vit-b-16/best.pt --precision f32 int8

Exports the network (from train_original.py's weights, or seeded random ones), then runs `face-node classify --cropped` and PyTorch in turns
on the same 224 x 224 pictures and the same number of threads. face-node's time holds all it does for a picture: reading, decoding, cropping,
standardising, the network, the line of JSON. PyTorch's is the network alone.
int8 is quantised by the pictures themselves: its speed is that of a network quantised by quantise.py, its logits are only near.
"""

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import cv2
import numpy as np
import torch

import original_networks
import quantise
from original_card import architecture_of, card_of, export_onnx
from original_pictures import normalise, shown

NODE = Path(__file__).resolve().parents[3] / ".build/release/face-node"
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(original_networks.ARCHITECTURES), default="vit-b-16")
    parser.add_argument("--weights", type=Path, help="state dict of the whole network (train_original.py's best.pt); without: random")
    parser.add_argument("--pictures", type=Path, help="folder of faces; without: random patterns")
    parser.add_argument("--count", type=int, default=8, help="pictures in a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["f32", "bf16", "int8"], nargs="+", default=["f32"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--node", type=Path, default=NODE, help="the built face-node")
    parser.add_argument("--work", type=Path, default=Path("work-compare"), help="folder for the exported model and the pictures")
    return parser.parse_args()


def randomised(network, seed):
    """Random weights that make logits of a usual size, and batch norms that do something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.head:
            if isinstance(module, torch.nn.Linear):
                bound = (6 / module.in_features) ** 0.5
                module.weight.uniform_(-bound, bound, generator=generator)
            elif isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network


def make_pictures(options):
    """Files of `count` pictures of 224 x 224: face-node takes them as they are."""
    folder = options.work / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(options.seed)
    if options.pictures:
        found = sorted(path for path in options.pictures.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not found:
            raise SystemExit(f"{options.pictures}: no pictures")
        chosen = [found[i] for i in random.permutation(len(found))[: options.count]]
        pictures = [shown(cv2.imread(str(path), cv2.IMREAD_COLOR)) for path in chosen]
    else:
        noise = random.integers(0, 256, (options.count, 14, 14, 3), dtype=np.uint8)
        pictures = [cv2.resize(small, (224, 224), interpolation=cv2.INTER_CUBIC) for small in noise]
    paths = [folder / f"{i:03}.png" for i in range(len(pictures))]
    for path, picture in zip(paths, pictures):
        cv2.imwrite(str(path), picture)
    return paths


def processor_seconds(process):
    """What the process has worked, all threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_node(options, precision, paths):
    """(logits (n, 3), seconds a picture after the first, processor seconds a picture)."""
    command = [str(options.node), "classify", "--cropped", "--model", str(options.work), "--precision", precision]
    command += ["--network-threads", str(options.threads), *map(str, paths)]
    logits, times = [], []
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            times.append((time.perf_counter(), processor_seconds(process.pid)))
            answer = json.loads(line)
            if "logits" not in answer:
                raise SystemExit(f"face-node: {answer['file']}: {answer.get('error')}")
            logits.append([answer["logits"][name] for name in original_networks.CLASSES])
    if process.returncode != 0:
        raise SystemExit(f"face-node ended with {process.returncode}")
    walls = np.diff([wall for wall, _ in times])
    return np.array(logits), walls.tolist(), (times[-1][1] - times[0][1]) / (len(times) - 1)


def run_torch(network, pictures):
    logits, walls = [], []
    before = time.process_time()
    with torch.inference_mode():
        for picture in pictures:
            start = time.perf_counter()
            logits.append(network(picture)[0].numpy())
            walls.append(time.perf_counter() - start)
    return np.array(logits), walls, (time.process_time() - before) / len(pictures)


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    network = original_networks.make(options.network)
    if options.weights:
        network.load_state_dict(torch.load(options.weights, map_location="cpu", weights_only=True))
    else:
        randomised(network, options.seed)
    network.eval()
    options.work.mkdir(parents=True, exist_ok=True)
    model = options.work / "model.onnx"
    export_onnx(network, model)
    card = card_of(f"face-{options.network}", architecture_of(options.network), model.read_bytes())
    paths = make_pictures(options)
    pictures = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in paths]
    pictures = [normalise(torch.from_numpy(picture).permute(2, 0, 1))[None] for picture in pictures]
    if "int8" in options.precision:
        model8 = quantise.quantised(model, [picture.numpy() for picture in pictures], quantise.is_transformer(card))
        card["int8"] = {"sha256": quantise.write(model8, options.work)}
    (options.work / "model.json").write_text(json.dumps(card, indent=2) + "\n")
    expected, _, _ = run_torch(network, pictures)
    torch_walls, torch_work = [], []
    node = {precision: ([], []) for precision in options.precision}
    gaps = dict.fromkeys(options.precision, 0.0)
    for turn in range(options.rounds + 1):
        _, walls, work = run_torch(network, pictures)
        if turn > 0:  # the first turn fills caches
            torch_walls += walls
            torch_work.append(work)
        for precision in options.precision:
            logits, walls, work = run_node(options, precision, paths)
            gaps[precision] = max(gaps[precision], float(np.abs(logits - expected).max()))
            if turn > 0:
                node[precision][0].extend(walls)
                node[precision][1].append(work)

    def milliseconds(values):
        return f"{1000 * np.median(values):7.1f} (least {1000 * np.min(values):7.1f})"

    print(
        f"{options.network}, {'weights of ' + options.weights.name if options.weights else 'random weights'}, {len(paths)} pictures, "
        f"{options.rounds} turns, {options.threads} threads; logits from {expected.min():.3f} to {expected.max():.3f}")
    print("                      ms a picture, median     processor ms          logits' largest difference")
    print(f"PyTorch f32        {milliseconds(torch_walls)}  {milliseconds(torch_work)}")
    for precision, (walls, work) in node.items():
        print(
            f"face-node {precision:8} {milliseconds(walls)}  {milliseconds(work)}  {gaps[precision]:.2g}   "
            f"{np.median(torch_walls) / np.median(walls):.2f} x PyTorch's speed (least: {np.min(torch_walls) / np.min(walls):.2f}, "
            f"by processor time: {np.median(torch_work) / np.median(work):.2f})")


if __name__ == "__main__":
    main()
