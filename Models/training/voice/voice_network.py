"""The default voice network: Whisper's first layers, attentive statistics of their states over the speech, two linear heads."""

import torch
from torch import nn

from .whisper_encoder import WIDTH, Encoder


class AttentiveStatistics(nn.Module):
    """Mean and deviation of the channels over the steps of speech (N x 2 channels), each step weighing what a linear layer on
    its state says. Begins as the plain mean and deviation."""

    def __init__(self, channels: int):
        super().__init__()
        self.score = nn.Linear(channels, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        score = self.score(states).squeeze(-1) + torch.where(weights > 0, weights.clamp_min(1e-9).log(), -1e4)
        share = score.softmax(dim=1).unsqueeze(-1)
        mean = (states * share).sum(dim=1)
        variance = ((states - mean.unsqueeze(1)) ** 2 * share).sum(dim=1)
        return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)


class VoiceNetwork(nn.Module):
    """Log-mel images (N x 80 x 300) and speech weights (N x 150) to logits, and to logits relative to the person: taking the
    person's mean out of the embedding is taking it out of these, since their head is linear."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        channels = WIDTH * len(encoder.layers)
        self.encoder, self.pool = encoder, AttentiveStatistics(channels)
        self.embedding = 2 * channels
        self.head, self.relative_head = nn.Linear(self.embedding, 3), nn.Linear(self.embedding, 3, bias=False)

    def embed(self, log_mel: torch.Tensor, speech_weights: torch.Tensor) -> torch.Tensor:
        return self.pool(self.encoder(log_mel, speech_weights), speech_weights)

    def forward(self, log_mel: torch.Tensor, speech_weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embedding = self.embed(log_mel, speech_weights)
        return self.head(embedding), self.relative_head(embedding)
