"""Computes the golden vectors of VoiceTests with librosa and openai-whisper.

    pip install -r Models/training/requirements.txt librosa==0.11.0 openai-whisper
    python Tests/VoiceTests/golden/make_golden.py
"""

import json
from pathlib import Path

import librosa
import numpy as np
import scipy.signal
import torch
from scipy.ndimage import uniform_filter1d
from whisper.audio import log_mel_spectrogram

from signals import CASES, RATE_HZ, WINDOW_SAMPLES, utterance

FIXTURES = Path(__file__).parent.parent / "Fixtures"


def gate(samples: np.ndarray, threshold=0.2, join=0.3, shortest=1.0, floor_dbfs=-57.0, least_fluctuation_db=5.5) -> dict:
    """The gate of the design, on librosa's frames and librosa's splitting."""
    rms = librosa.feature.rms(y=samples, frame_length=2048, hop_length=512, center=True)[0]
    if rms.max() <= 10 ** (floor_dbfs / 20):
        return {"skipped": "silence"}
    assert threshold * rms.max() > 10 ** (floor_dbfs / 20) or rms.std() / rms.mean() < 0.2, "the floor must not cut"
    runs = librosa.effects.split(samples, top_db=-20 * np.log10(threshold), frame_length=2048, hop_length=512)
    joined: list[list[int]] = []
    for start, end in runs.tolist():
        if joined and (start - joined[-1][1]) / RATE_HZ < join:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    longest = max(joined, key=lambda run: run[1] - run[0])
    if longest[1] - longest[0] < shortest * RATE_HZ:
        return {"skipped": "tooShort"}
    decibels = 20 * np.log10(np.maximum(rms[longest[0] // 512 : -(-longest[1] // 512)], 1.6e-5))
    # 0.5 s are 47 frames.
    low, high = np.percentile(decibels - uniform_filter1d(decibels, 47, mode="nearest"), [10, 90], method="nearest")
    if high - low < least_fluctuation_db:
        return {"skipped": "steadyNoise"}
    return {"speech": longest}


def mfcc(samples: np.ndarray, speech: list[int]) -> np.ndarray:
    filled = np.resize(samples[speech[0] : speech[1]], WINDOW_SAMPLES)
    return librosa.feature.mfcc(
        y=filled, sr=RATE_HZ, n_mfcc=40, n_fft=1024, win_length=512, window="hamming", hop_length=512, n_mels=128)


def log_mel(samples: np.ndarray) -> np.ndarray:
    taps = scipy.signal.firwin(241, 0.95 / 3, window=("kaiser", 8))
    # The filter's centre on each third sample, zeros around the window.
    resampled = np.convolve(samples.astype(np.float64), taps, mode="same")[::3]
    return log_mel_spectrogram(torch.from_numpy(resampled.astype(np.float32))).numpy()


def main() -> None:
    FIXTURES.mkdir(exist_ok=True)
    findings = {}
    for name, (bursts, speech_gain, noise_gain) in CASES.items():
        samples = utterance(bursts, speech_gain, noise_gain)
        findings[name] = gate(samples)
        print(name, findings[name], "RMS", np.sqrt(np.mean(samples.astype(float) ** 2)))
        if name in ("one-stretch", "joined"):
            rms = librosa.feature.rms(y=samples, frame_length=2048, hop_length=512, center=True)[0]
            np.save(FIXTURES / f"{name}-rms.npy", rms.astype(np.float32))
            np.save(FIXTURES / f"{name}-mfcc.npy", mfcc(samples, findings[name]["speech"]).astype(np.float32))
        if name == "one-stretch":
            np.save(FIXTURES / f"{name}-logmel.npy", log_mel(samples).astype(np.float32))
    (FIXTURES / "gate.json").write_text(json.dumps(findings, indent=1) + "\n")


if __name__ == "__main__":
    main()
