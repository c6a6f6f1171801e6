"""PhysNet: Yu, Li and Zhao, BMVC 2019: 3-D convolutions over a block of pictures."""

import torch
from torch import nn
from torch.nn import functional as F

from .shifted_2d import relative_differences, scaled_derivative, standardised


def convolution(before, after, kernel, epsilon):
    return nn.Sequential(
        nn.Conv3d(before, after, kernel, padding=[size // 2 for size in kernel]), nn.BatchNorm3d(after, eps=epsilon), nn.ReLU())


def doubling(channels, epsilon):
    return nn.Sequential(
        nn.ConvTranspose3d(channels, channels, (4, 1, 1), (2, 1, 1), (1, 0, 0)), nn.BatchNorm3d(channels, eps=epsilon), nn.ELU())


class PhysNet(nn.Module):
    """As `open-rppg` runs it: each channel standardised over the block, a wave out. `from_toolbox`, as rPPG-Toolbox trains it: relative
    differences in, the derivative of the wave out."""

    frames = 180

    def __init__(self, side=32, from_toolbox=False):
        super().__init__()
        self.side, self.is_derivative = side, from_toolbox
        epsilon = 1e-5 if from_toolbox else 1e-3
        self.blocks = nn.ModuleList(
            [convolution(3, 16, (1, 5, 5), epsilon), convolution(16, 32, (3, 3, 3), epsilon), convolution(32, 64, (3, 3, 3), epsilon)]
            + [convolution(64, 64, (3, 3, 3), epsilon) for _ in range(6)])
        self.doubling1, self.doubling2 = doubling(64, epsilon), doubling(64, epsilon)
        self.last = nn.Conv3d(64, 1, 1)

    def plain(self, pictures):
        """As the network gives it, [frames, 1]."""
        pictures = relative_differences(pictures) if self.is_derivative else standardised(pictures / 255, (0, 1, 2))
        x = pictures.permute(3, 0, 1, 2).unsqueeze(0)
        for number, block in enumerate(self.blocks, 1):
            x = block(x)
            if number in (1, 7):
                x = F.max_pool3d(x, (1, 2, 2))
            elif number in (3, 5):
                x = F.max_pool3d(x, 2)
        x = self.doubling2(self.doubling1(x))
        return self.last(x.mean((3, 4), keepdim=True)).reshape(-1, 1)

    def forward(self, pictures):
        x = self.plain(pictures)
        if self.is_derivative:
            return scaled_derivative(x)
        x = x - x.mean()
        return x / (x.square().mean().sqrt() + 1e-6)
