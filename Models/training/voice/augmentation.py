"""Copies of clips as a viewer's microphone would have recorded them."""

import io
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile

from .corpora import Clip

RATE_HZ = 48_000


def copies(clips: list[Clip], folder: Path, share: float, seed: int) -> list[Clip]:
    """Changed copies of a share of the clips, as 16-bit WAV. What happens to a clip follows from the seed and its position."""
    folder.mkdir(parents=True, exist_ok=True)
    copied = []
    for position, clip in enumerate(clips):
        generator = np.random.default_rng([seed, position])
        if generator.random() >= share:
            continue
        path = folder / f"{clip.corpus}-{clip.path.stem}.wav"
        copied.append(Clip(path, clip.corpus, clip.speaker, clip.emotion))
        if not path.exists():
            write(path, change(read(clip.path), generator), generator)
        if len(copied) % 100 == 0:
            print(f"{folder.name}: {position + 1} of {len(clips)} clips, {len(copied)} copies", flush=True)
    return copied


def change(samples: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Room, microphone, noise and level, each with some probability."""
    if generator.random() < 0.5:
        samples = reverberate(samples, generator)
    if generator.random() < 0.5:
        low, high = generator.uniform(60, 300), generator.uniform(3400, 12_000)
        samples = scipy.signal.sosfilt(scipy.signal.butter(2, [low, high], "bandpass", fs=RATE_HZ, output="sos"), samples)
    if generator.random() < 0.7:
        samples = samples + noise(len(samples), generator) * rms(samples) * 10 ** (-generator.uniform(8, 30) / 20)
    if generator.random() < 0.15:
        limit = np.quantile(np.abs(samples), generator.uniform(0.97, 0.998))
        samples = np.clip(samples, -limit, limit)
    level_dbfs = generator.uniform(-40, -15)
    samples = samples * 10 ** (level_dbfs / 20) / (rms(samples) + 1e-9)
    return np.clip(samples, -1, 1)


def reverberate(samples: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A synthetic room: the direct sound and exponentially decaying noise (0.15 to 0.6 s to -60 dB)."""
    decay = generator.uniform(0.15, 0.6)
    time = np.arange(int(decay * RATE_HZ)) / RATE_HZ
    tail = generator.standard_normal(len(time)) * 10 ** (-3 * time / decay)
    tail *= 10 ** (-generator.uniform(0, 12) / 20) / np.sqrt((tail**2).sum())
    tail[0] += 1
    return scipy.signal.fftconvolve(samples, tail)[: len(samples)]


def noise(count: int, generator: np.random.Generator) -> np.ndarray:
    """White to brown: power falls with frequency to a random power; RMS 1."""
    spectrum = np.fft.rfft(generator.standard_normal(count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 30)
    shaped = np.fft.irfft(spectrum * frequency ** (-generator.uniform(0, 1)), count)
    return shaped / rms(shaped)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)) + 1e-12)


def read(path: Path) -> np.ndarray:
    """Mono at 48 kHz."""
    samples, rate = soundfile.read(path, always_2d=True)
    samples = samples.mean(axis=1)
    return samples if rate == RATE_HZ else scipy.signal.resample_poly(samples, RATE_HZ, rate)


def write(path: Path, samples: np.ndarray, generator: np.random.Generator) -> None:
    """Through a codec of browsers and phones, one time in two."""
    temporary = path.with_suffix(".part")
    if generator.random() < 0.5:
        container, subtype = [("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")][int(generator.integers(2))]
        coded = io.BytesIO()
        soundfile.write(coded, samples, RATE_HZ, format=container, subtype=subtype, compression_level=generator.uniform(0.5, 1))
        coded.seek(0)
        samples, _ = soundfile.read(coded)
    soundfile.write(temporary, samples, RATE_HZ, format="WAV", subtype="PCM_16")
    temporary.rename(path)
