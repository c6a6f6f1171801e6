"""FacePhys (Wang et al. 2025): small convolutions on single frames, joined in time by state-space models and by running means.

`open-rppg` feeds it frame by frame and keeps its state. Here a whole block is computed at once from the state that the network learned to
begin with: the recurrences are linear, so each is a product with a triangular matrix.
"""

import torch
from torch import nn
from torch.nn import functional as F

FRAME_SECONDS = 1 / 30


class RunningMean(nn.Module):
    """y[t] = decay y[t - 1] + (1 - decay) x[t], by channel: within pieces by a triangular matrix, from piece to piece by another."""

    def __init__(self, frames, piece=30):
        super().__init__()
        self.pieces, self.piece = frames // piece, piece

    def powers(self, decay, count):
        """[channels, count, count]: decay^(row - column) on and below the diagonal, 0 above."""
        steps = torch.arange(count)
        exponent = (steps[:, None] - steps[None, :]).clamp(min=0)
        below = (steps[:, None] >= steps[None, :]).float()
        return decay[:, None, None] ** exponent * below

    def forward(self, x, decay, start):
        """[channels, frames, pixels], [channels], [channels, pixels] to [channels, frames, pixels]."""
        channels, _, pixels = x.shape
        inner = (1 - decay)[:, None, None] * self.powers(decay, self.piece)
        y = torch.matmul(inner[:, None], x.reshape(channels, self.pieces, self.piece, pixels))
        # What each piece begins with: the ends of those before it, and the start.
        ends = torch.cat([start[:, None], y[:, :-1, -1]], dim=1)
        begin = torch.matmul(self.powers(decay ** self.piece, self.pieces), ends)
        fading = decay[:, None] ** torch.arange(1, self.piece + 1)
        y = y + fading[:, None, :, None] * begin[:, :, None, :]
        return y.reshape(channels, -1, pixels)


class TemporalNormalisation(nn.Module):
    """Each pixel of each channel less its running mean, by its running deviation."""

    def __init__(self, channels, side, frames):
        super().__init__()
        self.log_half_life = nn.Parameter(torch.zeros(channels))
        self.gain, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.mean, self.log_square = nn.Parameter(torch.zeros(channels, side * side)), nn.Parameter(torch.zeros(channels, side * side))
        self.running = RunningMean(frames)

    def forward(self, x):
        """[channels, frames, pixels]."""
        decay = 1 - 0.6931 / torch.exp(self.log_half_life) * FRAME_SECONDS
        centred = x - self.running(x, decay, self.mean)
        square = self.running(centred.square(), decay, torch.exp(self.log_square))
        return centred * torch.rsqrt(square + 1e-5) * self.gain[:, None, None] + self.bias[:, None, None]


class StateSpace(nn.Module):
    """A selective state-space model with complex states: y[t] = C[t] S[t], S[t] = exp(A dt[t]) S[t - 1] + dt[t] B[t] x[t]."""

    def __init__(self, channels, head, states):
        super().__init__()
        self.inner, self.head, self.states = 2 * channels, head, states
        self.heads = self.inner // head
        mixed = self.inner + 2 * states
        self.into = nn.Linear(channels, 3 * self.inner + 2 * states + self.heads, bias=False)
        self.local = nn.Conv1d(mixed, mixed, 4, groups=mixed)
        self.log_decay, self.frequency = nn.Parameter(torch.zeros(self.heads)), nn.Parameter(torch.zeros(self.heads))
        self.step_bias = nn.Parameter(torch.zeros(self.heads))
        self.direct = nn.Parameter(torch.zeros(2 * self.heads, 1))
        self.first_inputs = nn.Parameter(torch.zeros(4, mixed))
        self.first_real = nn.Parameter(torch.zeros(self.heads, head, states))
        self.first_imaginary = nn.Parameter(torch.zeros(self.heads, head, states))
        self.norm = nn.Parameter(torch.ones(2 * self.inner))
        self.out = nn.Linear(2 * self.inner, channels, bias=False)

    def forward(self, x):
        """[frames, channels]."""
        frames = x.shape[0]
        gate, mixed, step = self.into(x).split([2 * self.inner, self.inner + 2 * self.states, self.heads], dim=1)
        step = torch.exp(step + self.step_bias).clamp(0, 6)
        mixed = torch.cat([self.first_inputs, mixed]).T.unsqueeze(0)
        mixed = F.relu6(self.local(mixed))[0, :, -frames:].T
        x, b, c = mixed.split([self.inner, self.states, self.states], dim=1)
        x = x.reshape(frames, self.heads, self.head).permute(1, 0, 2)

        # Logarithm of what is left at frame t of a state of frame s: summed[t] - summed[s].
        fading = torch.cumsum(-torch.exp(self.log_decay) * step, dim=0).T
        turning = torch.cumsum(self.frequency * step, dim=0).T
        past = torch.tril(torch.ones(frames, frames))
        left = torch.exp((fading[:, :, None] - fading[:, None, :]).clamp(max=0)) * past
        turned = turning[:, :, None] - turning[:, None, :]
        weights = left * torch.matmul(c, b.T)
        driven = x * step.T[:, :, None]
        real = torch.matmul(weights * torch.cos(turned), driven)
        imaginary = torch.matmul(weights * torch.sin(turned), driven)
        # What is left of the state before the first frame.
        first_real = torch.einsum("fn,hpn->hfp", c, self.first_real)
        first_imaginary = torch.einsum("fn,hpn->hfp", c, self.first_imaginary)
        cosine, sine = (torch.exp(fading) * torch.cos(turning))[:, :, None], (torch.exp(fading) * torch.sin(turning))[:, :, None]
        real = real + cosine * first_real - sine * first_imaginary
        imaginary = imaginary + sine * first_real + cosine * first_imaginary

        # [heads, frames, head] each, to [frames, heads, real and imaginary, head].
        y = torch.stack([real, imaginary], dim=2).permute(1, 0, 2, 3)
        direct = self.direct.reshape(self.heads, 2, 1)
        y = y + torch.stack([x, torch.zeros_like(x)], dim=2).permute(1, 0, 2, 3) * direct
        y = y.reshape(frames, 2 * self.inner) * F.relu6(gate)
        y = y * torch.rsqrt(y.square().mean(1, keepdim=True) + 1e-5) * self.norm
        return self.out(y)


class Convolutions(nn.Module):
    def __init__(self, channels, side, frames):
        super().__init__()
        self.side = side
        self.temporal = TemporalNormalisation(channels, side, frames)
        self.conv1, self.widen = nn.Conv2d(channels, channels, 3, padding=1), nn.Linear(channels, 2 * channels)
        self.state_space = StateSpace(2 * channels, head=channels // 8, states=128)
        self.narrow = nn.Linear(2 * channels, channels, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        """[frames, channels, side, side]."""
        frames, channels = x.shape[:2]
        x = self.temporal(x.permute(1, 0, 2, 3).reshape(channels, frames, -1))
        x = x.reshape(channels, frames, self.side, self.side).permute(1, 0, 2, 3)
        wide = F.relu6(F.conv2d(self.conv1(x), self.widen.weight[:, :, None, None], self.widen.bias))
        over_time = self.narrow(self.state_space(wide.mean((2, 3))))
        return F.relu6(self.conv2(x + over_time[:, :, None, None]))


class Stage(nn.Module):
    def __init__(self, before, channels, side, frames):
        super().__init__()
        self.into = nn.Linear(before, channels, bias=False)
        self.first, self.second = Convolutions(channels, side, frames), Convolutions(channels, side, frames)
        self.halving = nn.Conv2d(channels, channels, 2, 2)

    def forward(self, x):
        x = F.conv2d(x, self.into.weight[:, :, None, None])
        x = x + self.second(self.first(x))
        odd = x.shape[-1] % 2
        return self.halving(F.pad(x, (0, odd, 0, odd)))


class FacePhys(nn.Module):
    is_derivative = False

    def __init__(self, side=36, channels=32, frames=360):
        super().__init__()
        self.side, self.frames = side, frames
        sides = [side, (side + 1) // 2, (side + 3) // 4, (side + 7) // 8]
        self.stages = nn.ModuleList(
            Stage(3 if number == 0 else channels, channels, size, frames) for number, size in enumerate(sides))
        self.out = nn.Linear(channels, 32, bias=False)
        self.head1, self.head2 = StateSpace(32, head=8, states=16), StateSpace(32, head=8, states=16)
        self.last = nn.Linear(32, 1)

    def forward(self, pictures):
        x = (pictures / 255).permute(0, 3, 1, 2)
        for stage in self.stages:
            x = stage(x)
        return self.last(self.head2(self.head1(self.out(x.mean((2, 3))))))
