"""In which share of the windows of semi-synthetic clips encoding has left a pulse that could be found at all.

    python pulse_detectable.py /tmp/pulse-semisynthetic

An oracle knows the true rate, and the skin: it asks whether the mean colour of the skin-coloured pixels has more power within 3 bpm
of that rate than 95 % of other rates have in the same windows. So 5 % would be found by chance, and no estimator that does not know the rate can
be expected to find what the oracle does not. By GREEN, and by the green channel less the red one (brightness cancels).
"""

import argparse
import json
import pathlib

import cv2
import numpy as np
from scipy import signal

import pulse_semisynthetic

RATE = pulse_semisynthetic.RATE
WINDOW = pulse_semisynthetic.WINDOW_SECONDS * RATE
TRANSFORM = 4096
# bpm
NEAR, APART, OTHERS = 3, 10, np.arange(45, 126, 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    truth = json.loads((folder / "truth.json").read_text())
    rows = [row for name, settings in truth.items() if settings["kind"] == "pulse" for row in windows(folder / name, settings)]
    for wave in ("green", "green-red"):
        threshold = np.quantile(np.concatenate([row[wave][1] for row in rows]), 0.95)
        found = np.array([row[wave][0] > threshold for row in rows])
        shares = [f"all {found.mean():.0%} of {len(rows)}"]
        for motion in pulse_semisynthetic.MOTIONS:
            of_motion = np.array([row["motion"] == motion for row in rows])
            by_crf = [(crf, of_motion & np.array([row["crf"] == crf for row in rows])) for crf in (18, 23, 28)]
            shares.append(f"{motion} motion {found[of_motion].mean():.0%} ("
                          + ", ".join(f"CRF {crf}: {found[those].mean():.0%}" for crf, those in by_crf if those.any()) + ")")
        print(f"{wave}: " + "; ".join(shares))


def windows(path, settings):
    colours = skin_colours(path)
    relative = colours / colours.mean(axis=0)
    for end, rate in settings["windows"].items():
        part = relative[int(end) * RATE - WINDOW:int(end) * RATE]
        if len(part) == WINDOW:
            others = [other for other in OTHERS if min(abs(other - rate), abs(other - 2 * rate), abs(other - rate / 2)) > APART]
            yield dict(motion=settings["motion"], crf=settings["crf"],
                       **{name: (level(wave, rate), [level(wave, other) for other in others])
                          for name, wave in (("green", part[:, 1]), ("green-red", part[:, 1] - part[:, 0]))})


def skin_colours(path):
    """Of each frame, the mean R, G, B of the pixels that are skin in the first one (less their rim, so that low motion stays inside)."""
    video, colours, mask = cv2.VideoCapture(str(path)), [], None
    while (read := video.read())[0]:
        if mask is None:
            mask = (pulse_semisynthetic.skin(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)) > 0.5).astype(np.uint8)
            mask = cv2.erode(mask, np.ones((9, 9)))
        colours.append(cv2.mean(read[1], mask)[2::-1])
    return np.array(colours)


def level(wave, rate):
    """The highest power within NEAR of a rate, against the mean of the band."""
    beats = 60 * np.fft.rfftfreq(TRANSFORM, 1 / RATE)
    power = np.abs(np.fft.rfft(signal.detrend(wave - np.convolve(np.pad(wave, RATE, "edge"), np.ones(2 * RATE + 1) / (2 * RATE + 1), "valid"))
                               * np.hanning(len(wave)), TRANSFORM)) ** 2
    return power[abs(beats - rate) <= NEAR].max() / power[(beats >= 42) & (beats <= 130)].mean()


if __name__ == "__main__":
    main()
