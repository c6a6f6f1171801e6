"""Writes a model folder: model.onnx, model.json (the card that programs read), README.md (the card that people read)."""

import hashlib
import json
from pathlib import Path

import onnx
import torch

from .corpora import LABELS

SAMPLE_RATE_HZ = 48_000
WINDOW_SAMPLES = 144_000


def export(network: torch.nn.Module, inputs: tuple[torch.Tensor, ...], names: list[str], path: Path) -> None:
    """ONNX with an open batch dimension, all in one file."""
    network.eval()
    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.onnx.export(
        network, inputs, dynamo=True, input_names=names, output_names=["logits"], opset_version=18,
        dynamic_shapes=tuple({0: batch} for _ in inputs))
    path.parent.mkdir(parents=True, exist_ok=True)
    program.save(str(path), external_data=False)
    onnx.checker.check_model(str(path))


def write_card(folder: Path, card: dict, readme: str) -> None:
    weights = (folder / "model.onnx").read_bytes()
    card = {**card, "labels": list(LABELS), "sha256": hashlib.sha256(weights).hexdigest()}
    (folder / "model.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    (folder / "README.md").write_text(readme)


def confusion_table(confusion: list[list[int]]) -> str:
    lines = ["| true \\ heard as | positive | neutral | negative |", "| --- | --- | --- | --- |"]
    lines += [f"| {label} | " + " | ".join(str(count) for count in row) + " |" for label, row in zip(LABELS, confusion)]
    return "\n".join(lines)
