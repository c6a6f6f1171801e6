"""The synthetic signals of the golden tests, sample for sample those of SyntheticSignals.swift."""

import math

import numpy as np

RATE_HZ = 48_000
WINDOW_SAMPLES = 144_000


def white_noise(count: int, seed: int) -> np.ndarray:
    """Uniform in [-1, 1), from Knuth's 64-bit linear congruential generator."""
    state, values = seed, np.empty(count)
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        values[i] = (state >> 40) / (1 << 23) - 1
    return values


def voiced(count: int) -> np.ndarray:
    """A gliding pulse train through three formants: like a vowel, RMS about 0.1."""
    formants = []
    for frequency, bandwidth in ((700.0, 90.0), (1220.0, 110.0), (2600.0, 160.0)):
        radius = math.exp(-math.pi * bandwidth / RATE_HZ)
        formants.append([2 * radius * math.cos(2 * math.pi * frequency / RATE_HZ), -radius * radius, 0.0, 0.0])
    values, phase = np.empty(count), 0.0
    for i in range(count):
        phase += (120 + 30 * math.sin(2 * math.pi * 0.7 * i / RATE_HZ)) / RATE_HZ
        x = 0.0
        if phase >= 1:
            phase -= 1
            x = 3.0
        for f in formants:
            y = (1 - f[0] - f[1]) * x + f[0] * f[2] + f[1] * f[3]
            f[3], f[2] = f[2], y
            x = y
        values[i] = x
    return values


def utterance(bursts, speech_gain: float, noise_gain: float, seed: int = 7, count: int = WINDOW_SAMPLES) -> np.ndarray:
    """Vowels with four syllables a second during the bursts (seconds), over white noise; float32."""
    samples, vowel = white_noise(count, seed) * noise_gain, voiced(count)
    for start, end in bursts:
        first, last = round(start * RATE_HZ), min(round(end * RATE_HZ), count)
        for i in range(first, last):
            syllable = 0.55 - 0.45 * math.cos(2 * math.pi * 4 * (i - first) / RATE_HZ)
            samples[i] += speech_gain * syllable * vowel[i]
    return samples.astype(np.float32)


# name: (bursts in seconds, gain of the speech, gain of the noise)
CASES = {
    "one-stretch": ([(0.4, 2.7)], 1.0, 0.001),
    "joined": ([(0.2, 0.9), (1.15, 1.8), (2.4, 2.9)], 0.5, 0.0005),
    "two-stretches": ([(0.1, 1.2), (1.7, 2.95)], 0.3, 0.0),
    "too-short": ([(1.0, 1.7)], 1.0, 0.0002),
    "hiss": ([], 0.0, 0.03),
    "soft-hiss": ([], 0.0, 0.0017),
    "nothing": ([], 0.0, 0.0),
}
