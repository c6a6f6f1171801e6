#!/usr/bin/env python3
"""Makes Fixtures/small-vit, a model folder: the original's ViT with its head, but small, with random weights; and PyTorch's logits.

    python small_vit.py      (with Models/training/requirements.txt)

Structure and export are those of Models/training/face: torchvision's VisionTransformer and OriginalNetwork.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "Models/training/face"))

from original_card import card_of, export_onnx  # noqa: E402
from original_networks import OriginalNetwork, torchvision_models  # noqa: E402
from original_pictures import normalise  # noqa: E402

FOLDER = HERE.parent / "Fixtures/small-vit"
SIZE, WIDTH, PICTURES = 32, 32, 4


def formula_picture(k):
    """uint8 (3, SIZE, SIZE), other numbers in each channel. The Swift test makes the same."""
    channels, rows, columns = np.meshgrid(np.arange(3), np.arange(SIZE), np.arange(SIZE), indexing="ij")
    return (columns * (3 + k + 2 * channels) + rows * (5 + 2 * k + channels) + 40 * channels) % 256


def main():
    torch.manual_seed(20261128)
    backbone = torchvision_models().VisionTransformer(
        image_size=SIZE, patch_size=8, num_layers=2, num_heads=4, hidden_dim=WIDTH, mlp_dim=64)
    backbone.heads = torch.nn.Identity()
    network = OriginalNetwork(backbone, WIDTH, head_widths=(32, 16, 8))
    with torch.no_grad():
        for parameter in network.parameters():  # every part must matter: the class token and many biases begin at 0
            parameter.add_(torch.randn_like(parameter) * 0.1)
        network.head[-1].weight.mul_(10)  # pictures far apart
        pictures = [normalise(torch.from_numpy(formula_picture(k).astype(np.uint8))) for k in range(PICTURES)]
        batch = torch.cat([torch.stack(pictures), torch.randn(64, 3, SIZE, SIZE)])
        for _ in range(10):  # batch norms that do something
            network.train()(batch)
        logits = network.eval()(torch.stack(pictures))
    FOLDER.mkdir(parents=True, exist_ok=True)
    export_onnx(network, FOLDER / "model.onnx", SIZE)
    card = card_of("small-vit", "a small ViT with random weights, for tests alone", (FOLDER / "model.onnx").read_bytes(), SIZE)
    (FOLDER / "model.json").write_text(json.dumps(card, indent=2) + "\n")
    (FOLDER / "golden.json").write_text(json.dumps({"logits": logits.tolist()}, indent=1) + "\n")
    print(logits)


if __name__ == "__main__":
    main()
