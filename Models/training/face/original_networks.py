"""The original system's face networks: ViT-B/16 (its choice), DenseNet121 and ResNet101 of torchvision, each with a new head.

Parameter names of the backbones are torchvision's, so that its published ImageNet weights load as they are.
"""

import re

import torch
from torch import nn

CLASSES = ["positive", "neutral", "negative"]
SIZE = 224
# ImageNet's, of R, G and B between 0 and 1.
MEAN = [0.485, 0.456, 0.406]
STANDARD_DEVIATION = [0.229, 0.224, 0.225]
HEAD_WIDTHS = (512, 256, 128)
DROPOUT = 0.2

# Name here: torchvision's name, the layer that the new head replaces, the width of what it is given, name for people.
ARCHITECTURES = {
    "vit-b-16": ("vit_b_16", "heads", 768, "ViT-B/16"),
    "densenet121": ("densenet121", "classifier", 1024, "DenseNet121"),
    "resnet101": ("resnet101", "fc", 2048, "ResNet101"),
}


def torchvision_models():
    """torchvision.models. The torchvision of PyPI is built for CUDA: beside a torch for CPUs alone its detection operators do
    not load, and its import stops where it describes two of them. No network here uses them: declared, the import goes on."""
    try:
        from torchvision import models
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision import models
    return models


class OriginalNetwork(nn.Module):
    """Pictures (n, 3, size, size), RGB, standardised, to class logits (n, 3)."""

    def __init__(self, backbone, feature_count, head_widths=HEAD_WIDTHS, dropout=DROPOUT):
        super().__init__()
        self.backbone = backbone
        layers = []
        for before, after in zip((feature_count, *head_widths), head_widths):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(), nn.Dropout(dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(head_widths[-1], len(CLASSES)))

    def forward(self, x):
        return self.head(self.backbone(x))


def make(name, pretrained=None):
    """A network by its name in ARCHITECTURES, its backbone from a torchvision state dict if there is one."""
    torchvision_name, last_layer, feature_count, _ = ARCHITECTURES[name]
    backbone = getattr(torchvision_models(), torchvision_name)(weights=None)
    setattr(backbone, last_layer, nn.Identity())
    if pretrained is not None:
        weights = torch.load(pretrained, map_location="cpu", weights_only=True)
        weights = {modern(key): value for key, value in weights.items() if not key.startswith(last_layer + ".")}
        backbone.load_state_dict(weights, strict=True)
    return OriginalNetwork(backbone, feature_count)


def modern(key):
    """The published DenseNet weights still have names with a dot too many: denselayer1.norm.1.weight."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", key)
