"""TSCAN and DeepPhys (two branches, attention masks), and EfficientPhys: 2-D convolutions on single frames.

DeepPhys: Chen and McDuff, ECCV 2018. TSCAN: Liu et al., NeurIPS 2020: DeepPhys whose motion branch sees its neighbours in time, because a
third of the channels is shifted by one frame each way. EfficientPhys: Liu et al., WACV 2023: one branch with attention on itself.
"""

import torch
from torch import nn
from torch.nn import functional as F

EPSILON = 1e-6


def frame_differences(frames, last):
    """From each frame to the next; the last one has none: it is given."""
    difference = frames[1:] - frames[:-1]
    return torch.cat([difference, difference[-1:] if last == "repeated" else torch.zeros_like(difference[:1])])


def relative_differences(frames):
    """(next - this) / (next + this), over its standard deviation in the block; 0 for the last frame."""
    difference = (frames[1:] - frames[:-1]) / (frames[1:] + frames[:-1] + 1e-7)
    centred = difference - difference.mean()
    difference = difference / (centred.square().mean().sqrt() + 1e-9)
    return torch.cat([difference, torch.zeros_like(difference[:1])])


def standardised(frames, axes):
    """Mean 0 and standard deviation 1 (of the whole population) over these axes of [frames, height, width, 3]."""
    centred = frames - frames.mean(axes, keepdim=True)
    return centred / (centred.square().mean(axes, keepdim=True).sqrt() + EPSILON)


def temporal_shift(x, segment, ends="own"):
    """A third of the channels from the next frame, a third from the one before, within segments; [frames, channels, height, width].

    At the ends of a segment, where there is no such frame, the frame's own values stay, or (`ends="zero"`) are 0.
    """
    frames, channels, height, width = x.shape
    third = channels // 3
    x = x.reshape(frames // segment, segment, channels, height, width)
    later, earlier, own = x[:, :, :third], x[:, :, third:2 * third], x[:, :, 2 * third:]
    weight = 1 if ends == "own" else 0
    later = torch.cat([later[:, 1:], weight * later[:, -1:]], dim=1)
    earlier = torch.cat([weight * earlier[:, :1], earlier[:, :-1]], dim=1)
    return torch.cat([later, earlier, own], dim=2).reshape(frames, channels, height, width)


def attention(mask):
    """Of mean 0.5 over the picture."""
    return 0.5 * mask / mask.mean((2, 3), keepdim=True)


def scaled_derivative(derivative):
    """So that its cumulative sum has the standard deviation 1: what joins blocks."""
    wave = torch.cumsum(derivative, dim=0)
    deviation = (wave - wave.mean()).square().mean().sqrt()
    return derivative / (deviation + EPSILON)


class TwoBranches(nn.Module):
    """The layers of DeepPhys and TSCAN. The motion branch is multiplied by masks that the appearance branch makes."""

    is_derivative = True

    def __init__(self, side):
        super().__init__()
        self.side = side
        for branch in ("motion", "appearance"):
            for number, (before, after) in enumerate([(3, 32), (32, 32), (32, 64), (64, 64)], 1):
                setattr(self, f"{branch}{number}", nn.Conv2d(before, after, 3, padding=number % 2))
        self.mask1, self.mask2 = nn.Conv2d(32, 1, 1), nn.Conv2d(64, 1, 1)
        self.dropout1, self.dropout2, self.dropout3 = nn.Dropout(0.25), nn.Dropout(0.25), nn.Dropout(0.5)
        after = ((side - 2) // 2 - 2) // 2
        self.dense1, self.dense2 = nn.Linear(64 * after * after, 128), nn.Linear(128, 1)

    def shift(self, x):
        return x

    def branches(self, motion, appearance):
        """[frames, 3, side, side] each, the second also [1, ...], to [frames, 1]."""
        motion = torch.tanh(self.motion1(self.shift(motion)))
        motion = torch.tanh(self.motion2(self.shift(motion)))
        appearance = torch.tanh(self.appearance2(torch.tanh(self.appearance1(appearance))))
        motion = motion * attention(torch.sigmoid(self.mask1(appearance)))
        motion, appearance = self.dropout1(F.avg_pool2d(motion, 2)), F.avg_pool2d(appearance, 2)
        motion = torch.tanh(self.motion3(self.shift(motion)))
        motion = torch.tanh(self.motion4(self.shift(motion)))
        appearance = torch.tanh(self.appearance4(torch.tanh(self.appearance3(appearance))))
        motion = motion * attention(torch.sigmoid(self.mask2(appearance)))
        motion = self.dropout2(F.avg_pool2d(motion, 2))
        return self.dense2(self.dropout3(torch.tanh(self.dense1(motion.flatten(1)))))


class TSCAN(TwoBranches):
    """As `open-rppg` runs it: the appearance is the mean picture of the block."""

    frames = 180

    def __init__(self, side=36, segment=20):
        super().__init__(side)
        self.segment = segment

    def shift(self, x):
        return temporal_shift(x, self.segment)

    def derivative(self, pictures):
        pictures = pictures / 255
        motion = standardised(frame_differences(pictures, last="repeated"), (1, 2))
        return self.branches(motion.permute(0, 3, 1, 2), pictures.mean(0, keepdim=True).permute(0, 3, 1, 2))

    def forward(self, pictures):
        return scaled_derivative(self.derivative(pictures))


class ToolboxNetwork(TwoBranches):
    """DeepPhys, and TSCAN (with segments), as rPPG-Toolbox trains them: the motion is (next - this) / (next + this), over its standard
    deviation in the block, and 0 for the last picture; the appearance is each picture, standardised over the block."""

    frames = 180

    def __init__(self, side, segment=None):
        super().__init__(side)
        self.segment = segment

    def shift(self, x):
        return x if self.segment is None else temporal_shift(x, self.segment, ends="zero")

    def derivative(self, pictures):
        motion = relative_differences(pictures)
        centred = pictures - pictures.mean()
        appearance = centred / centred.square().mean().sqrt()
        return self.branches(motion.permute(0, 3, 1, 2), appearance.permute(0, 3, 1, 2))

    def forward(self, pictures):
        return scaled_derivative(self.derivative(pictures))


class DeepPhys(TwoBranches):
    """DeepPhys as it is trained here: as published, the motion is (next - this) / (next + this) over its standard deviation, cut at 3
    of them, and the appearance is the picture, standardised. A block is a second: 30 steps need the picture before them."""

    frames = 31
    cut = 3

    def derivative(self, pictures):
        """[31, side, side, 3] to the 30 steps, [30, 1]."""
        motion = relative_differences(pictures)[:-1].clamp(-self.cut, self.cut)
        appearance = standardised(pictures[:-1], (1, 2, 3))
        return self.branches(motion.permute(0, 3, 1, 2), appearance.permute(0, 3, 1, 2))

    def forward(self, pictures):
        return self.derivative(pictures)


class EfficientPhys(nn.Module):
    is_derivative = True
    frames = 120

    def __init__(self, side=72, segment=8):
        super().__init__()
        self.side, self.segment = side, segment
        self.norm = nn.BatchNorm1d(side * side, eps=1e-3)
        for number, (before, after) in enumerate([(3, 32), (32, 32), (32, 64), (64, 64)], 1):
            setattr(self, f"motion{number}", nn.Conv2d(before, after, 3, padding=number % 2))
        self.mask1, self.mask2 = nn.Conv2d(32, 32, 1), nn.Conv2d(64, 64, 1)
        after = ((side - 2) // 2 - 2) // 2
        self.dense1, self.dense2 = nn.Linear(64 * after * after, 128), nn.Linear(128, 1)

    def derivative(self, pictures):
        x = frame_differences(pictures / 255, last="zero")
        # One mean and one variance for each pixel.
        x = self.norm(x.flatten(1, 2)).unflatten(1, (self.side, self.side)).permute(0, 3, 1, 2)
        for first, second, mask in [(self.motion1, self.motion2, self.mask1), (self.motion3, self.motion4, self.mask2)]:
            x = torch.tanh(first(temporal_shift(x, self.segment)))
            x = torch.tanh(second(temporal_shift(x, self.segment)))
            x = F.avg_pool2d(x * attention(torch.sigmoid(mask(x))), 2)
        return self.dense2(torch.tanh(self.dense1(x.flatten(1))))

    def forward(self, pictures):
        return scaled_derivative(self.derivative(pictures))
