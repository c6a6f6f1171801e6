"""Sounds that are not speech, made of numbers alone: the same bytes on every machine with the same NumPy.

Each function returns `seconds` of mono samples at 48 kHz, of about unit RMS; `at_level` sets the level. Several kinds of
music, several pieces of each kind (`seed`), so that no gate is fitted to one.
"""
import numpy as np

RATE = 48_000


def at_level(samples, dbfs):
    """The samples with an RMS of `dbfs`, limited to full scale."""
    rms = np.sqrt(np.mean(samples**2))
    return np.clip(samples * 10 ** (dbfs / 20) / max(rms, 1e-12), -1, 1)


def white(seconds, seed):
    return np.random.default_rng(seed).standard_normal(int(seconds * RATE))


def pink(seconds, seed, exponent=1.0):
    """Noise with a power of f^-exponent above 20 Hz."""
    return shaped(white(seconds, seed), lambda f: np.maximum(f, 20) ** (-exponent / 2))


def shaped(samples, gain):
    spectrum = np.fft.rfft(samples)
    spectrum *= gain(np.fft.rfftfreq(len(samples), 1 / RATE))
    return np.fft.irfft(spectrum, len(samples))


def formants(samples, frequencies, bandwidth=120.0):
    """A vowel's resonances."""
    return shaped(samples, lambda f: sum(1 / (1 + ((f - c) / (bandwidth * (1 + c / 2000))) ** 2) / (1 + n) for n, c in enumerate(frequencies)))


# ---- Music ----

CHORDS = [[0, 4, 7, 11], [9, 12, 16, 19], [5, 9, 12, 16], [7, 11, 14, 17], [2, 5, 9, 12], [4, 7, 11, 14]]


def hertz(semitone):
    return 440 * 2 ** ((semitone - 9) / 12)


def tone(frequency, harmonics, slope=1.0):
    """Harmonics that fall as 1/n^slope; `frequency` in Hz for each sample."""
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    return sum(np.sin(n * phase) / n**slope * (np.max(frequency) * n < 20_000) for n in range(1, harmonics + 1))


def envelope(count, attack, decay):
    t = np.arange(count) / RATE
    return np.minimum(t / attack, 1) * np.exp(-np.maximum(t - attack, 0) / decay)


def add(track, start, samples):
    first = int(start * RATE)
    last = min(len(track), first + len(samples))
    if first < last:
        track[first:last] += samples[: last - first]


def vibrato_chords(seconds, seed):
    """Organ-like chords with a vibrato of 5 Hz, 2 s each."""
    rng = np.random.default_rng(seed)
    track = np.zeros(int(seconds * RATE))
    key = rng.integers(-7, 5)
    t = np.arange(2 * RATE) / RATE
    for bar in range(int(np.ceil(seconds / 2))):
        for note in CHORDS[rng.integers(len(CHORDS))]:
            f = hertz(note + key - 12) * (1 + 0.006 * np.sin(2 * np.pi * (4.5 + rng.random()) * t))
            add(track, 2 * bar, tone(f, 8) * np.minimum(1, np.minimum(t, 2 - t) / 0.05))
    return track


def drums(seconds, seed):
    """Bass drum, snare and hi-hat, with fills."""
    rng = np.random.default_rng(seed)
    track = np.zeros(int(seconds * RATE))
    step = 60 / rng.integers(85, 140) / 4
    for i in range(int(seconds / step)):
        beat, start = i % 16, i * step
        if beat in (0, 8) or rng.random() < 0.1:
            e = envelope(int(0.35 * RATE), 0.002, 0.09)
            add(track, start, 2.0 * e * np.sin(2 * np.pi * np.cumsum(50 + 90 * np.exp(-np.arange(len(e)) / RATE / 0.03)) / RATE))
        if beat in (4, 12) or rng.random() < 0.06:
            e = envelope(int(0.3 * RATE), 0.001, 0.07)
            add(track, start, e * (rng.standard_normal(len(e)) + np.sin(2 * np.pi * 190 * np.arange(len(e)) / RATE)))
        if beat % 2 == 0 or rng.random() < 0.3:
            e = envelope(int(0.12 * RATE), 0.001, 0.02 + 0.03 * rng.random())
            add(track, start, 0.5 * e * np.diff(rng.standard_normal(len(e) + 1)))
    return track


def plucked(frequency, seconds, rng):
    """Karplus and Strong's string."""
    period = int(RATE / frequency)
    count = int(seconds * RATE)
    string = np.zeros((count // period + 2, period))
    string[0] = rng.uniform(-1, 1, period)
    for i in range(1, len(string)):
        string[i] = 0.996 * 0.5 * (string[i - 1] + np.roll(string[i - 1], 1))
    return string.ravel()[:count]


def arpeggios(seconds, seed):
    """A plucked string, eight notes a bar."""
    rng = np.random.default_rng(seed)
    track = np.zeros(int(seconds * RATE))
    step = 60 / rng.integers(80, 130) / 2
    key = rng.integers(-5, 7)
    for i in range(int(seconds / step)):
        chord = CHORDS[(i // 8 * 7 + seed) % len(CHORDS)]
        add(track, i * step, plucked(hertz(chord[i % 4] + key + 12 * (i % 8 > 5)), 1.2, rng))
    return track


def fm_pads(seconds, seed):
    """Slowly swelling chords of frequency modulation."""
    rng = np.random.default_rng(seed)
    track = np.zeros(int(seconds * RATE))
    t = np.arange(5 * RATE) / RATE
    for bar in range(int(np.ceil(seconds / 4))):
        for note in CHORDS[rng.integers(len(CHORDS))][:3]:
            f = hertz(note - 12)
            index = 1.5 + 1.2 * np.sin(2 * np.pi * (0.2 + 0.3 * rng.random()) * t)
            swell = np.sin(np.pi * t / 5) ** 1.5
            add(track, 4 * bar, swell * np.sin(2 * np.pi * f * t + index * np.sin(2 * np.pi * f * rng.choice([1, 2, 3]) * t)))
    return track


def piano(seconds, seed):
    """Decaying, slightly inharmonic partials: melody over broken chords."""
    rng = np.random.default_rng(seed)
    track = np.zeros(int(seconds * RATE))
    step = 60 / rng.integers(60, 110) / 2
    t = np.arange(2 * RATE) / RATE
    for i in range(int(seconds / step)):
        chord = CHORDS[(i // 8 + seed) % len(CHORDS)]
        for note in {chord[0] - 12 if i % 4 == 0 else chord[i % 4], chord[rng.integers(4)] + 12 if rng.random() < 0.6 else chord[0]}:
            f = hertz(note)
            add(track, i * step, sum(
                np.sin(2 * np.pi * f * n * np.sqrt(1 + 4e-4 * n * n) * t) * np.exp(-t * (1.2 + 0.8 * n)) / n**1.3
                for n in range(1, 10)) * np.minimum(t / 0.004, 1))
    return track


def violin(seconds, seed):
    """One melody with slides and vibrato through the resonances of a body: of all here the nearest to a singer."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE)
    notes = np.cumsum(rng.choice([-4, -2, -1, 1, 2, 3, 5], int(seconds / 0.3) + 2)) % 19
    lengths = rng.choice([0.3, 0.45, 0.6, 0.9], len(notes))
    steps = np.repeat(notes, (lengths * RATE).astype(int))[:count].astype(float)
    slide = np.exp(-np.arange(RATE // 10) / (0.02 * RATE))
    smooth = np.convolve(np.pad(steps, (len(slide) - 1, 0), mode="edge"), slide / slide.sum(), "valid")[:count]
    t = np.arange(count) / RATE
    f = hertz(smooth - 2) * (1 + 0.008 * np.sin(2 * np.pi * 5.6 * t))
    bow = 0.55 + 0.45 * np.sin(2 * np.pi * np.cumsum(np.repeat(0.5 / lengths, (lengths * RATE).astype(int))[:count]) / RATE) ** 2
    return formants(tone(f, 20) * bow, [290, 450, 700, 2500], 200)


def song(seconds, seed):
    """Drums, bass, chords and a lead: what an advert has under its speaker."""
    rng = np.random.default_rng(seed)
    bass = arpeggios(seconds, seed + 7)
    bass = shaped(bass, lambda f: 1 / (1 + (f / 250) ** 2))
    parts = [(drums, 1.0), (vibrato_chords, 0.5), (piano, 0.5), (violin, 0.4 if rng.random() < 0.5 else 0.0)]
    mix = at_level(bass, -12)
    for part, gain in parts:
        mix = mix + gain * at_level(part(seconds, seed), -12)
    return mix


MUSIC = {
    "chords with vibrato": vibrato_chords, "drums": drums, "arpeggios": arpeggios, "FM pads": fm_pads, "piano": piano,
    "violin": violin, "song": song,
}


# ---- Other sounds of a room ----

def typing(seconds, seed):
    """Keys struck in bursts, six a second, each a click and the knock of its release."""
    rng = np.random.default_rng(seed)
    track = 1e-4 * rng.standard_normal(int(seconds * RATE))
    now = 0.0
    while now < seconds:
        for offset, loudness in ((0, 1.0), (0.06 + 0.04 * rng.random(), 0.35)):
            e = envelope(int(0.05 * RATE), 0.0005, 0.004 + 0.006 * rng.random())
            t = np.arange(len(e)) / RATE
            knock = np.sin(2 * np.pi * rng.uniform(180, 420) * t) + np.sin(2 * np.pi * rng.uniform(1500, 5000) * t)
            add(track, now + offset, loudness * rng.uniform(0.4, 1) * e * (knock + 1.5 * rng.standard_normal(len(e))))
        now += rng.gamma(4, 0.04) + (rng.uniform(0.4, 2) if rng.random() < 0.08 else 0)
    return track


def laughter(seconds, seed, voiced=True):
    """Bouts of "ha" of 1 to 2.5 s, five a second, falling in pitch; or the same of breath alone."""
    rng = np.random.default_rng(seed)
    track = np.zeros(int(seconds * RATE))
    now = 0.5
    while now < seconds:
        pitch, count = rng.uniform(160, 380), rng.integers(5, 12)
        for i in range(count):
            e = envelope(int(0.17 * RATE), 0.03, 0.045) * (1 - 0.6 * i / count)
            breath = rng.standard_normal(len(e))
            f = pitch * (1 - 0.25 * i / count) * (1 + 0.15 * np.exp(-np.arange(len(e)) / RATE / 0.05))
            ha = formants(tone(f, 30, 0.8) + 0.5 * breath if voiced else breath, [800, 1300, 2600])
            add(track, now + 0.2 * i, e * ha / np.sqrt(np.mean(ha**2)))
        now += 0.2 * count + rng.uniform(1, 4)
    return track


def applause(seconds, seed):
    """Many hands."""
    rng = np.random.default_rng(seed)
    track = np.zeros(int(seconds * RATE))
    for start in rng.uniform(0, seconds, int(60 * seconds)):
        e = envelope(int(0.03 * RATE), 0.0005, 0.006)
        add(track, start, rng.uniform(0.2, 1) * e * rng.standard_normal(len(e)))
    return shaped(track, lambda f: 1 / (1 + ((f - 1200) / 900) ** 2))


def traffic(seconds, seed):
    """Rumble that swells as cars pass."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    swell = 0.2 + sum(np.exp(-(((t - c) / rng.uniform(0.8, 2.5)) ** 2)) for c in rng.uniform(0, seconds, int(seconds / 6) + 1))
    return pink(seconds, seed, 1.5) * swell


def breathing(seconds, seed):
    """Loud breaths, fifteen a minute."""
    t = np.arange(int(seconds * RATE)) / RATE
    return formants(white(seconds, seed), [500, 1500, 2500], 500) * np.maximum(0, np.sin(2 * np.pi * t / 2)) ** 2


OTHER = {
    "typing": typing, "laughter-like, voiced": laughter,
    "laughter-like, breath": lambda seconds, seed: laughter(seconds, seed, voiced=False),
    "applause": applause, "traffic": traffic, "breathing": breathing,
}
