"""Computes silero.json for VoiceTests: Silero's probabilities by onnxruntime, from the export that takes one chunk at a time.

    pip install onnxruntime==1.32.0 numpy scipy
    python Tests/VoiceTests/golden/make_silero.py [/opt/adreact/models/silero-vad]
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import scipy.signal

from signals import CASES, utterance

FIXTURES = Path(__file__).parent.parent / "Fixtures"


def probabilities(samples: np.ndarray, model: str) -> list[float]:
    """As Silero's own OnnxWrapper: 512 samples with the 64 before them, the state passed on."""
    taps = scipy.signal.firwin(241, 0.95 / 3, window=("kaiser", 8))
    resampled = np.convolve(samples.astype(np.float64), taps, mode="same")[::3].astype(np.float32)
    session = onnxruntime.InferenceSession(model)
    state, context, said = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
    for start in range(0, len(resampled) - 511, 512):
        chunk = np.concatenate([context, resampled[start : start + 512]])[None]
        output, state = session.run(None, {"input": chunk, "state": state, "sr": np.array(16000)})
        context = chunk[0, -64:]
        said.append(round(float(output[0, 0]), 6))
    return said


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else "/opt/adreact/models/silero-vad"
    found = {name: probabilities(utterance(*CASES[name]), folder + "/silero_vad_16k_op15.onnx") for name in ("one-stretch", "hiss")}
    (FIXTURES / "silero.json").write_text(json.dumps(found) + "\n")
    for name, values in found.items():
        print(name, f"{np.mean(np.array(values) > 0.5):.2f} of the chunks above 0.5")


if __name__ == "__main__":
    main()
