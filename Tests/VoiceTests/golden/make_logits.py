"""Computes the golden logits of VoiceTests with PyTorch, from the weights that training left in its work folder.

    cd Models && python ../Tests/VoiceTests/golden/make_logits.py --work ../out/training/voice

Run it again whenever a network was trained anew. The features are those that librosa and openai-whisper made
(make_golden.py), so the Swift side must agree from the samples to the logits.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

FIXTURES = Path(__file__).parent.parent / "Fixtures"
MODELS = Path(__file__).parents[3] / "Models"
sys.path.insert(0, str(MODELS))

from training.voice import networks, whisper_encoder  # noqa: E402
from training.voice.fine_tuning import SETTINGS  # noqa: E402
from training.voice.voice_network import VoiceNetwork  # noqa: E402


def audionet(name: str, work: Path) -> list[float]:
    normalisation = json.loads((MODELS / f"voice-{name}/model.json").read_text())["input"]["normalisation"]
    mean, deviation = (np.array(normalisation[key])[:, None] for key in ("mean", "standardDeviation"))
    image = (np.load(FIXTURES / "one-stretch-mfcc.npy") - mean) / deviation
    network = networks.AUDIO_NETS[name]().eval()
    network.load_state_dict(torch.load(work / f"{name}-shipped.pt"))
    return network(torch.from_numpy(image.astype(np.float32))[None, None])[0].tolist()


def whisper(work: Path) -> tuple[list[float], list[float]]:
    start, end = json.loads((FIXTURES / "gate.json").read_text())["one-stretch"]["speech"]
    steps = np.arange(whisper_encoder.STEPS) * 960
    weights = np.maximum(0, np.minimum(steps + 960, end) - np.maximum(steps, start)) / (end - start)
    network = VoiceNetwork(whisper_encoder.Encoder(SETTINGS["layers"])).eval()
    network.load_state_dict(torch.load(work / "voice-shipped.pt"))
    image = torch.from_numpy(np.load(FIXTURES / "one-stretch-logmel.npy"))
    logits, relative = network(image[None], torch.from_numpy(weights.astype(np.float32))[None])
    return logits[0].tolist(), relative[0].tolist()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    work = parser.parse_args().work
    # Those of networks that were not trained in this work folder stay.
    logits = json.loads((FIXTURES / "logits.json").read_text())
    with torch.no_grad():
        logits |= {f"voice-{name}": audionet(name, work) for name in networks.AUDIO_NETS if (work / f"{name}-shipped.pt").exists()}
        if (work / "voice-shipped.pt").exists():
            logits["voice"], relative = whisper(work)
            (FIXTURES / "relative-logits.json").write_text(json.dumps({"voice": relative}, indent=1) + "\n")
    (FIXTURES / "logits.json").write_text(json.dumps(logits, indent=1) + "\n")
    print(logits)


if __name__ == "__main__":
    main()
