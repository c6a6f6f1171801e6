"""Tells stress from the heart rate set against what it has been so far; measured on people it has not seen, and exported.

    python pulse_heart_rate.py --data stress-predict --out ../pulse-heart-rate

--data   the folder of SNN.npz files (bvp, bvp_scale, fs_hz, start_epoch_s, label_epoch_s, label_stress)
--out    the model folder to write

With x the heart rate less its mean since the session's start, and n the seconds with a known one:

    logit(stress) = (1 - a) * prior + a * (slope * x + bias),    a = n / (n + 30)

Slope and bias are a logistic regression, both classes weighing the same; the prior is the share of stress in the data. The mean is taken
where all of the session is known and survives restarts: in fusion, as the voice's personal baseline is.
"""

import argparse
import hashlib
import io
import json
import pathlib

import numpy as np
import torch
from scipy import signal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

SEED = 20261128
FOLDS = 5
# As in the node: the seconds before a clip's end that its heart rate is of.
WINDOW_SECONDS = 12
MIXING_SECONDS = 30
POSITIVE_LOGIT = -30.0
POPULATION_BPM = 75.0
# Of short sessions: from so long before a task begins, to so long after.
BEFORE_SECONDS, AFTER_SECONDS = 60, 120


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "out"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    options = parser.parse_args()
    people = [heart_rates(path) for path in sorted(options.data.glob("S*.npz"))]
    people = [person for person in people if len(set(person[1])) == 2]
    short = [(piece, number) for number, person in enumerate(people) for piece in short_sessions(*person)]
    rates, labels, groups, known = joined([(person, number) for number, person in enumerate(people)])
    short_rates, short_labels, short_groups, short_known = joined(short)

    logits, short_logits = np.zeros(len(labels)), np.zeros(len(short_labels))
    for training, held_out in GroupKFold(FOLDS).split(labels, labels, groups):
        slope, bias, prior = fit(rates[training], labels[training])
        logits[held_out] = stress(rates[held_out], known[held_out], slope, bias, prior)
        inside = np.isin(short_groups, groups[held_out])
        short_logits[inside] = stress(short_rates[inside], short_known[inside], slope, bias, prior)
    metrics = dict(
        wholeSession=figures(labels, logits, groups),
        shortSession=figures(short_labels, short_logits, short_groups) | dict(sessions=len(short)))
    print(json.dumps(metrics, indent=1))
    slope, bias, prior = fit(rates, labels)
    print(f"slope {slope:.4f} a bpm, bias {bias:.3f}, prior {prior:.3f}; stress from {-bias / slope:.1f} bpm above the mean on")
    export(options.out, slope, bias, prior, metrics, len(people))


def heart_rates(path):
    """Of each labelled second with a known heart rate: bpm, and whether under stress; and the second."""
    recording = np.load(path)
    rate_hz = float(recording["fs_hz"])
    band = signal.butter(3, [0.7, 4], "bandpass", fs=rate_hz, output="sos")
    steepness = np.gradient(signal.sosfiltfilt(band, recording["bvp"] * float(recording["bvp_scale"])))
    beats, _ = signal.find_peaks(steepness, distance=int(0.33 * rate_hz), height=0.9 * np.median(np.abs(steepness)))
    ends, intervals = beats[1:] / rate_hz, np.diff(beats) / rate_hz
    usual = signal.medfilt(intervals, 7)
    sound = (np.abs(intervals - usual) < 0.2 * usual) & (intervals > 0.35) & (intervals < 1.5)
    found = []
    for second, label in zip(recording["label_epoch_s"] - float(recording["start_epoch_s"]), recording["label_stress"]):
        inside = (ends > second - WINDOW_SECONDS) & (ends <= second)
        if inside.sum() >= WINDOW_SECONDS / 2 and sound[inside].mean() >= 0.6:
            found.append((60 / intervals[inside & sound].mean(), label, second))
    rates, labels, seconds = np.array(found).T
    return rates, labels.astype(int), seconds


def short_sessions(rates, labels, seconds):
    """As long as an advert: some rest, then a task."""
    for begin in np.flatnonzero((labels[1:] == 1) & (labels[:-1] == 0)) + 1:
        inside = (seconds >= seconds[begin] - BEFORE_SECONDS) & (seconds < seconds[begin] + AFTER_SECONDS)
        if len(set(labels[inside])) == 2:
            yield rates[inside], labels[inside], seconds[inside]


def joined(sessions):
    """Heart rates less their mean so far, labels, whose they are, and how many were known by then."""
    counts = [np.arange(1, len(session[0]) + 1) for session, _ in sessions]
    return (np.concatenate([session[0] - np.cumsum(session[0]) / count for (session, _), count in zip(sessions, counts)]),
            np.concatenate([session[1] for session, _ in sessions]),
            np.concatenate([np.full(len(session[0]), person) for session, person in sessions]), np.concatenate(counts))


def fit(rates, labels):
    model = LogisticRegression(C=1e6, class_weight="balanced").fit(rates[:, None], labels)
    return float(model.coef_[0, 0]), float(model.intercept_[0]), float(np.log(labels.mean() / (1 - labels.mean())))


def stress(rates, known, slope, bias, prior):
    share = known / (known + MIXING_SECONDS)
    return (1 - share) * prior + share * (slope * rates + bias)


def figures(labels, logits, groups):
    def recalls(rows):
        return [float(((logits[rows] > 0) == label)[labels[rows] == label].mean()) for label in (0, 1)]

    people = np.unique(groups)
    rows_of = {person: np.flatnonzero(groups == person) for person in people}
    rng = np.random.default_rng(SEED)
    drawn = [np.mean(recalls(np.concatenate([rows_of[person] for person in rng.choice(people, len(people))]))) for _ in range(1000)]
    rest, tasks = recalls(np.arange(len(labels)))
    return dict(
        uar=round((rest + tasks) / 2, 4), uar95=[round(float(np.quantile(drawn, q)), 4) for q in (0.025, 0.975)], chanceUAR=0.5,
        recallNeutral=round(rest, 4), recallNegative=round(tasks, 4), accuracy=round(float(((logits > 0) == labels).mean()), 4),
        accuracyOfAlwaysNeutral=round(float(1 - labels.mean()), 4), seconds=len(labels), people=len(people))


class HeartRate(torch.nn.Module):
    """Heart rates [n, 1] to logits of somebody of whom nothing else is known, and to logits before the usual ones are taken off."""

    def __init__(self, slope, prior):
        super().__init__()
        self.plain, self.relative = torch.nn.Linear(1, 3), torch.nn.Linear(1, 3, bias=False)
        with torch.no_grad():
            self.plain.weight.zero_()
            self.plain.bias.copy_(torch.tensor([POSITIVE_LOGIT, 0.0, prior]))
            self.relative.weight.copy_(torch.tensor([[0.0], [0.0], [slope]]))

    def forward(self, heart_rate):
        return self.plain(heart_rate), self.relative(heart_rate)


def export(out, slope, bias, prior, metrics, people):
    out.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.onnx.export(
        HeartRate(slope, prior), (torch.full((2, 1), POPULATION_BPM),), buffer, input_names=["heart_rate_bpm"],
        output_names=["logits", "relative_logits"], dynamic_axes={name: {0: "batch"} for name in ("heart_rate_bpm", "logits", "relative_logits")},
        opset_version=18, dynamo=False)
    content = buffer.getvalue()
    (out / "model.onnx").write_bytes(content)
    card = dict(
        name="pulse-heart-rate", task="pulse", labels=["positive", "neutral", "negative"],
        architecture="logistic regression on the heart rate less its mean since the session's start",
        input=dict(shape=[-1, 1], normalisation=None),
        settings=dict(baseline=dict(
            populationMeanRelativeLogits=[0, 0, round(slope * POPULATION_BPM, 6)], bias=[POSITIVE_LOGIT, 0, round(bias, 6)],
            shrinkageWindows=0, mixingWindows=MIXING_SECONDS)),
        training=dict(
            data="Stress-Predict (wrist PPG of 28 people), stress = negative, no stress = neutral, no positive", licence="MIT",
            split=f"by person, {FOLDS} folds for the metrics; the shipped numbers are of all {people}",
            command="python Models/training/pulse_heart_rate.py --data stress-predict --out Models/pulse-heart-rate"),
        metrics=metrics,
        limits=["signs of stress and rest only: positive is never claimed", "no effort, illness or medicine was in the data"],
        sha256=hashlib.sha256(content).hexdigest())
    (out / "model.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
