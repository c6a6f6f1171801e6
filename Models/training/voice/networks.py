"""The voice networks. Each gives three logits, in the order of `corpora.LABELS`."""

import torch
from torch import nn


def convolution_stack(channels: list[int], pools: list[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after, pool in zip(channels, channels[1:], pools):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(pool), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Flatten())


class SelfAttentionLayer(nn.Module):
    """A Transformer encoder layer (normalised after each part, as in the original), in plain operations."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, steps, width = x.shape
        q, k, v = self.queries_keys_values(x).view(batch, steps, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(q, k, v)
        x = self.norm1(x + self.dropout(self.out(attended.transpose(1, 2).reshape(batch, steps, width))))
        return self.norm2(x + self.dropout(self.feed_forward(x)))


class AudioNetCT(nn.Module):
    """Two convolution stacks on the MFCC image beside a Transformer encoder over its columns (input N x 1 x 40 x 282)."""

    def __init__(self, dropout: float = 0.3):
        super().__init__()
        self.deep = convolution_stack([1, 16, 32, 64], [2, 4, 4], dropout)
        self.shallow = convolution_stack([1, 16, 32], [4, 4], dropout)
        self.pool = nn.MaxPool1d(4)
        self.encoder = nn.Sequential(*(SelfAttentionLayer(40, 4, 512, dropout) for _ in range(4)))
        self.head = nn.Linear(512 + 1088 + 40, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        sequence = self.encoder(self.pool(image.squeeze(1)).transpose(1, 2)).mean(dim=1)
        return self.head(torch.cat([self.deep(image), self.shallow(image), sequence], dim=1))


class AudioNetCL(nn.Module):
    """The deep convolution stack beside a two-layer LSTM over the MFCC image's columns (input N x 1 x 40 x 282)."""

    def __init__(self, dropout: float = 0.3):
        super().__init__()
        self.deep = convolution_stack([1, 16, 32, 64], [2, 4, 4], dropout)
        self.recurrent = nn.LSTM(40, 128, num_layers=2, batch_first=True, dropout=dropout)
        self.head = nn.Linear(512 + 128, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        states, _ = self.recurrent(image.squeeze(1).transpose(1, 2))
        return self.head(torch.cat([self.deep(image), states[:, -1]], dim=1))


AUDIO_NETS = {"audionet-ct": AudioNetCT, "audionet-cl": AudioNetCL}
