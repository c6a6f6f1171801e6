"""Loaders of public recordings with a contact pulse, for those who have them: DEAP (emotion) and UBFC-rPPG (face video).

Neither is part of the project. Both loaders read the layout in which the data sets are handed out.
"""

import dataclasses
import pathlib
import pickle

import numpy as np

POSITIVE, NEUTRAL, NEGATIVE = 0, 1, 2


@dataclasses.dataclass
class LabelledWave:
    """The contact pulse wave of one person during one stimulus."""

    person: str
    trial: int
    rate_hz: float
    wave: np.ndarray
    label: int


@dataclasses.dataclass
class FaceRecording:
    """A face video with the pulse wave of a finger sensor; times in seconds from the video's start."""

    person: str
    video: pathlib.Path
    times: np.ndarray
    wave: np.ndarray
    heart_rates_bpm: np.ndarray


# DEAP (Koelstra et al. 2012), preprocessed for Python: sNN.dat, a pickle of data [40 trials, 40 channels, 8064] and labels [40 trials,
# valence, arousal, dominance, liking (1...9)].
DEAP_RATE_HZ = 128
DEAP_CHANNELS = 40
DEAP_PULSE_CHANNEL = 38
DEAP_BASELINE_SECONDS = 3


def load_deap(folder):
    """A `LabelledWave` for each trial of each `sNN.dat`, without the 3 s before the stimulus.

    Valence below 2 is negative, above 7 positive, what lies between neutral: the original system's classes.
    """
    waves = []
    for path in sorted(pathlib.Path(folder).glob("s[0-9][0-9].dat")):
        with path.open("rb") as file:
            content = ArraysOnly(file, encoding="latin1").load()
        if not isinstance(content, dict) or not {"data", "labels"} <= content.keys():
            raise ValueError(f"{path}: not DEAP's layout: a dictionary of data and labels is expected")
        data, labels = np.asarray(content["data"]), np.asarray(content["labels"])
        if data.ndim != 3 or data.shape[1] != DEAP_CHANNELS or labels.shape != (len(data), 4):
            raise ValueError(f"{path}: data of shape {data.shape} and labels of {labels.shape}; [trials, 40, samples] and [trials, 4] are expected")
        start = DEAP_BASELINE_SECONDS * DEAP_RATE_HZ
        for trial, (channels, ratings) in enumerate(zip(data, labels)):
            waves.append(LabelledWave(
                path.stem, trial, DEAP_RATE_HZ, channels[DEAP_PULSE_CHANNEL, start:].astype(np.float64), valence_class(ratings[0])))
    if not waves:
        raise ValueError(f"{folder}: holds no sNN.dat")
    return waves


def valence_class(valence):
    return POSITIVE if valence > 7 else NEGATIVE if valence < 2 else NEUTRAL


class ArraysOnly(pickle.Unpickler):
    """Pickles can run anything: this one makes NumPy arrays and plain values, and refuses the rest."""

    ALLOWED = {
        ("numpy", "ndarray"), ("numpy", "dtype"),
        *((module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")),
        *((module, "scalar") for module in ("numpy.core.multiarray", "numpy._core.multiarray")),
        *((module, "_frombuffer") for module in ("numpy.core.numeric", "numpy._core.numeric")), ("_codecs", "encode")}

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"holds {module}.{name}, where only arrays are expected")
        return super().find_class(module, name)


def load_ubfc(folder):
    """A `FaceRecording` for each subject of UBFC-rPPG (Bobbia et al. 2019), of either part:

    dataset 2: subjectN/vid.avi, subjectN/ground_truth.txt (a line each of wave, heart rates, times in s);
    dataset 1: N-gt/vid.avi, N-gt/gtdump.xmp (lines of time in ms, heart rate, oxygen saturation, wave).
    """
    recordings = []
    for video in sorted(pathlib.Path(folder).rglob("vid.avi")):
        lines, table = video.with_name("ground_truth.txt"), video.with_name("gtdump.xmp")
        if lines.exists():
            rows = [np.array(line.split(), float) for line in lines.read_text().splitlines() if line.strip()]
            if len(rows) != 3 or len({len(row) for row in rows}) != 1:
                raise ValueError(f"{lines}: three lines of equally many numbers are expected: wave, heart rates, times")
            wave, rates, times = rows
        elif table.exists():
            columns = np.loadtxt(table, delimiter=",", ndmin=2)
            if columns.shape[1] != 4:
                raise ValueError(f"{table}: four columns are expected: time, heart rate, oxygen saturation, wave")
            times, rates, wave = columns[:, 0] / 1000, columns[:, 1], columns[:, 3]
        else:
            continue
        if len(times) == 0 or np.any(np.diff(times) < 0):
            raise ValueError(f"{lines if lines.exists() else table}: times that go back, or none")
        recordings.append(FaceRecording(video.parent.name, video, times, wave, rates))
    if not recordings:
        raise ValueError(f"{folder}: holds no vid.avi with its ground truth")
    return recordings
