"""Reference beats for PulseTests: a wave with known beats, and what neurokit2 and SciPy find in it.

    python make_beats.py ../Fixtures/beats.json

Made with numpy 2.4.6, scipy 1.17.1 and neurokit2 0.2.13. The wave has 30 samples a second, as a camera would.
"""

import json
import sys

import neurokit2
import numpy as np
from scipy import signal

SEED = 20261124
RATE_HZ = 30

rng = np.random.default_rng(SEED)
# Intervals that swing with the breath, and a little by chance: seconds.
intervals = [0.82 + 0.06 * np.sin(2 * np.pi * 0.25 * beat * 0.82) + 0.015 * rng.standard_normal() for beat in range(80)]
beats = 0.7 + np.concatenate([[0], np.cumsum(intervals)])
t = np.arange(int(60 * RATE_HZ)) / RATE_HZ
wave = np.zeros(len(t))
for beat in beats:
    since = t - beat
    wave += np.exp(-0.5 * ((since - 0.12) / 0.07) ** 2) + 0.35 * np.exp(-0.5 * ((since - 0.40) / 0.10) ** 2)
wave = wave + 0.3 * np.sin(2 * np.pi * 0.1 * t) + 0.02 * rng.standard_normal(len(t))

found = neurokit2.ppg_findpeaks(neurokit2.ppg_clean(wave, sampling_rate=RATE_HZ), sampling_rate=RATE_HZ)["PPG_Peaks"] / RATE_HZ
lengths = 1000 * np.diff(found)
inside = 1000 * np.array(intervals[: int(np.searchsorted(beats, 59)) - 1])
noise = rng.standard_normal(200)
json.dump(
    {
        "rateHz": RATE_HZ,
        "wave": wave.tolist(),
        "beatSeconds": beats[beats < 60].tolist(),
        "sdnnMilliseconds": float(inside.std(ddof=1)),
        "rmssdMilliseconds": float(np.sqrt(np.mean(np.diff(inside) ** 2))),
        "neurokit": {"count": len(found), "sdnnMilliseconds": float(lengths.std(ddof=1))},
        "noise": noise.tolist(),
        "noisePeaks": signal.find_peaks(noise, height=0.3, distance=7)[0].tolist(),
    },
    open(sys.argv[1], "w"),
)
