"""Reference vectors for PulseTests, from SciPy and NumPy.

    python make_fixtures.py ../Fixtures

Made with numpy 2.4.6 and scipy 1.17.1. Every number is written with all its digits.
"""

import json
import pathlib
import sys

import numpy as np
from scipy import ndimage, signal

SEED = 20261123


def pulse_like(count, rate_hz, rng, noise=0.05):
    """A beat of 72 a minute with two harmonics, a slow drift and white noise."""
    t = np.arange(count) / rate_hz
    phase = 2 * np.pi * 1.2 * t
    return (np.cos(phase) + 0.5 * np.cos(2 * phase - 0.7) + 0.2 * np.cos(3 * phase - 1.1)
            + 3 * np.sin(2 * np.pi * 0.05 * t) + 0.4 * t + noise * rng.standard_normal(count))


def longdouble_detrend(x, degree):
    """Least squares in 80-bit floats: an orthonormal polynomial basis by modified Gram-Schmidt, three times over."""
    x = np.asarray(x, np.longdouble)
    positions = np.linspace(-1, 1, len(x), dtype=np.longdouble)
    basis = [np.full(len(x), 1 / np.sqrt(np.longdouble(len(x))), np.longdouble)]
    for _ in range(degree):
        row = positions * basis[-1]
        for _ in range(3):
            for other in basis:
                row = row - (row @ other) * other
        basis.append(row / np.sqrt(row @ row))
    for _ in range(3):
        for row in basis:
            x = x - (x @ row) * row
    return x.astype(float)


def filters(rng):
    cases = []
    for order, low, high, rate, count in [(5, 0.5, 40, 128, 256), (3, 0.7, 4, 30, 200), (2, 0.6, 1.6, 30, 300),
                                          (4, 1, 10, 50, 100), (1, 2, 5, 30, 60)]:
        x = pulse_like(count, rate, rng)
        sos = signal.butter(order, [low, high], "bandpass", fs=rate, output="sos")
        y = signal.sosfiltfilt(sos, x)
        b, a = signal.butter(order, [low, high], "bandpass", fs=rate)
        # The transfer function in one piece loses digits that the sections keep.
        assert np.allclose(signal.filtfilt(b, a, x), y, rtol=1e-5, atol=1e-7)
        cases.append(dict(order=order, lowHz=low, highHz=high, sampleRateHz=rate, input=x.tolist(), output=y.tolist()))
    return cases


def detrending(rng):
    cases = []
    for count, degree in [(128, 50), (1536, 10), (1280, 50), (360, 3)]:
        x = pulse_like(count, 128, rng)
        y = longdouble_detrend(x, degree)
        if degree < 20:  # NumPy's own fit still has the digits here.
            t = np.linspace(-1, 1, count)
            fit = np.polynomial.legendre.legval(t, np.polynomial.legendre.legfit(t, x, degree))
            assert np.allclose(x - fit, y, rtol=0, atol=1e-10 * np.abs(y).max())
        cases.append(dict(degree=degree, input=x.tolist(), output=y.tolist()))
    return cases


def averages(rng):
    cases = []
    for count, width in [(40, 10), (40, 7), (12, 10), (10, 10), (9, 1)]:
        x = rng.standard_normal(count)
        y = ndimage.uniform_filter1d(x, width, mode="mirror")
        cases.append(dict(width=width, input=x.tolist(), output=y.tolist()))
    return cases


def interpolation(rng):
    times = np.cumsum(rng.uniform(0.02, 0.06, 40)) + 0.3
    values = rng.standard_normal(40)
    grid = 0.2 + np.arange(256) / 128
    return [dict(times=times.tolist(), values=values.tolist(), first=0.2, rateHz=128,
                 output=np.interp(grid, times, values).tolist())]


def peaks(rng):
    cases = []
    for count in (60, 128):
        x = np.round(ndimage.gaussian_filter1d(rng.standard_normal(count), 2), 2)  # Rounded: flat tops occur.
        for prominence in (None, 0.1, 0.5):
            found, _ = signal.find_peaks(x, prominence=prominence)
            cases.append(dict(input=x.tolist(), prominence=prominence, output=found.tolist()))
    return cases


def channels(rng):
    cases = []
    for count in (128, 127):
        x = pulse_like(count, 128, rng)
        bins = np.fft.fft(x)
        cases.append(dict(input=x.tolist(), magnitude=np.abs(bins).tolist(), phase=np.angle(bins).tolist()))
    return cases


def ppg(rng):
    """The whole chain, from irregular times to the standardised clip."""
    times = np.cumsum(rng.uniform(0.028, 0.039, 400))
    times -= times[-1] + 0.01
    wave = pulse_like(2000, 128, rng)
    values = np.interp(times, np.arange(2000) / 128 - 14, wave)
    x = np.interp(-12 + np.arange(1536) / 128, times, values)
    x = longdouble_detrend(x, 10)
    x = signal.sosfiltfilt(signal.butter(5, [0.5, 40], "bandpass", fs=128, output="sos"), x)
    x = ndimage.uniform_filter1d(x, 10, mode="mirror")
    clip = x[-128:] / x.std()
    found, _ = signal.find_peaks(clip, prominence=0.5)
    return dict(times=times.tolist(), values=values.tolist(), signalMean=0.02, signalStandardDeviation=0.9,
                output=((clip - 0.02) / 0.9).tolist(), pulseCount=len(found))


def pos(rgb, rate):
    """Algorithm 1 of Wang et al. 2017; the overlap-add divided by the number of windows; sign turned."""
    n = len(rgb)
    length = int(np.ceil(1.6 * rate))
    h, overlaps = np.zeros(n), np.zeros(n)
    projection = np.array([[0, 1, -1], [-2, 1, 1]])
    for start in range(n - length + 1):
        c = rgb[start:start + length]
        s = projection @ (c / c.mean(0)).T
        p = s[0] + s[0].std() / s[1].std() * s[1]
        h[start:start + length] += p - p.mean()
        overlaps[start:start + length] += 1
    return -h / overlaps


def running_mean(x, reach):
    return np.array([x[max(0, i - reach):i + reach + 1].mean() for i in range(len(x))])


def relative(x, reach):
    return x / running_mean(x, reach) - 1


def chrom(rgb, rate):
    """de Haan and Jeanne 2013, normalised and band-passed over the whole trace."""
    half = int(np.ceil(0.8 * rate))
    r, g, b = (relative(rgb[:, k], half) for k in range(3))
    sos = signal.butter(3, [0.7, 4], "bandpass", fs=rate, output="sos")
    x = signal.sosfiltfilt(sos, 3 * r - 2 * g)
    y = signal.sosfiltfilt(sos, 1.5 * r + g - 1.5 * b)
    out = np.zeros(len(x))
    window = signal.get_window("hann", 2 * half)
    for start in range(-half, len(x), half):
        index = np.arange(max(0, start), min(len(x), start + 2 * half))
        alpha = x[index].std() / y[index].std()
        out[index] += window[index - start] * (x[index] - alpha * y[index])
    return out


def methods(rng):
    rate, n = 30, 200
    t = np.arange(n) / rate
    wave = np.sin(2 * np.pi * 1.1 * t) + 0.4 * np.sin(2 * np.pi * 2.2 * t + 0.5)
    light = 1 + 0.03 * np.sin(2 * np.pi * 0.3 * t) + 0.002 * rng.standard_normal(n)
    rgb = np.array([170, 120, 95]) * light[:, None] * (1 - 0.006 * wave[:, None] * np.array([0.33, 0.77, 0.53]))
    rgb += 0.1 * rng.standard_normal(rgb.shape)
    return dict(rateHz=rate, red=rgb[:, 0].tolist(), green=rgb[:, 1].tolist(), blue=rgb[:, 2].tolist(),
                pos=pos(rgb, rate).tolist(), chrom=chrom(rgb, rate).tolist(),
                greenWave=(-relative(rgb[:, 1], 30)).tolist())


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(SEED)
    fixtures = dict(filters=filters(rng), detrending=detrending(rng), averages=averages(rng),
                    interpolation=interpolation(rng), peaks=peaks(rng), channels=channels(rng), ppg=ppg(rng),
                    methods=methods(rng))
    for name, content in fixtures.items():
        (folder / f"{name}.json").write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
