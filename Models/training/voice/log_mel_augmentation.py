"""Other people and other microphones, made on log-mel images while training: nearly free, and never the same twice.

Images are Whisper's: (log10 of the power + 4) / 4, at least the maximum - 8 before scaling. What a microphone and a room do
is drawn once for a group of clips of one speaker, as in a recording session; what differs from utterance to utterance, for
each clip.
"""

from dataclasses import dataclass

import numpy as np
import scipy.signal

BANDS = 80
LOW_HZ, HIGH_HZ = 0.0, 8000.0


def mel(hertz: float) -> float:
    """Slaney's scale, as Whisper's filters: linear to 1 kHz, logarithmic above."""
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def band_of(hertz: float) -> float:
    return mel(hertz) / mel(HIGH_HZ) * (BANDS + 1) - 1


def smooth_curve(generator: np.random.Generator, size: float, waves: int = 5) -> np.ndarray:
    """A random smooth curve over the bands."""
    position = np.arange(BANDS)[:, None] / BANDS
    return np.cos(np.pi * position * np.arange(1, waves + 1)) @ (generator.standard_normal(waves) * size)


@dataclass
class Session:
    """What one voice, room and microphone do to all clips of a session; powers are log10."""

    warp: float = 1.0
    """Stretches the spectrum along the bands: another vocal tract."""
    response: np.ndarray | float = 0.0
    """Gain of each band."""
    echo: float = 0.0
    """Decay of the reverberation per frame; 0 for none."""
    echo_share: float = 0.0
    """Power of the reverberation against the direct sound."""
    noise: np.ndarray | None = None
    """Power of each band against the mean power of the clip."""
    noise_unevenness: float = 0.0

    @staticmethod
    def draw(generator: np.random.Generator) -> "Session":
        uniform, chance = generator.uniform, generator.random
        session = Session()
        if chance() < 0.25:
            return session
        if chance() < 0.6:
            session.warp = uniform(0.88, 1.13)
        if chance() < 0.35:
            session.echo, session.echo_share = 10 ** (-6 / (uniform(15, 70))), 10 ** uniform(-1.2, 0.2)
        if chance() < 0.55:
            shape = smooth_curve(generator, 0.3) - np.linspace(0, uniform(0, 3), BANDS)
            session.noise = shape - np.log10(np.mean(10**shape)) - uniform(0.4, 3)
            session.noise_unevenness = uniform(0.1, 0.4)
        if chance() < 0.7:
            session.response = session.response + smooth_curve(generator, 0.15)
        if chance() < 0.7:
            session.response = session.response + 0.6 * generator.standard_normal()
        bands = np.arange(BANDS)
        if chance() < 0.3:
            session.response = session.response - np.clip((bands - band_of(np.exp(uniform(8.0, 9.0)))) * 0.5, 0, 6)
        if chance() < 0.3:
            session.response = session.response - np.clip((band_of(uniform(60, 350)) - bands) * 0.3, 0, 3)
        return session

    def apply(self, power: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """On log10 powers (80 x frames)."""
        if self.warp != 1:
            source = np.clip(np.arange(BANDS) * self.warp, 0, BANDS - 1)
            below = np.minimum(source.astype(int), BANDS - 2)
            share = (source - below)[:, None]
            power = power[below] * (1 - share) + power[below + 1] * share
        if self.echo:
            sound = 10**power
            tail = scipy.signal.lfilter([0, 1 - self.echo], [1, -self.echo], sound, axis=1)
            power = np.log10(sound + self.echo_share * tail)
        if self.noise is not None:
            level = self.noise[:, None] + np.log10(np.mean(10**power)) + self.noise_unevenness * generator.standard_normal(power.shape)
            power = np.log10(10**power + 10**level)
        return power + (self.response[:, None] if isinstance(self.response, np.ndarray) else self.response)


def utter(power: np.ndarray, frames: int) -> np.ndarray:
    """The same utterance at another pace: resampled linearly to so many frames."""
    if frames == power.shape[1]:
        return power
    source = np.linspace(0, power.shape[1] - 1, frames)
    below = np.minimum(source.astype(int), power.shape[1] - 2)
    share = source - below
    return power[:, below] * (1 - share) + power[:, below + 1] * share


def masked(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """SpecAugment: some bands and a short time replaced by the mean."""
    image = image.copy()
    for axis, widest, chance in ((0, 10, 0.5), (1, max(2, image.shape[1] // 7), 0.5)):
        if generator.random() < chance:
            width = int(generator.integers(1, widest + 1))
            start = int(generator.integers(0, image.shape[axis] - width + 1))
            image[(slice(None),) * axis + (slice(start, start + width),)] = image.mean()
    return image


def to_power(image: np.ndarray) -> np.ndarray:
    return image.astype(np.float32) * 4 - 4


def to_image(power: np.ndarray) -> np.ndarray:
    power = np.maximum(power, -10)
    return (np.maximum(power, power.max() - 8) + 4) / 4
