"""The yardstick: openSMILE's eGeMAPS functionals with logistic regression, on the same clips and the same splits."""

from pathlib import Path

import numpy as np
import opensmile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from . import augmentation
from .corpora import Clip
from .features import Features
from .fine_tuning import balanced_weights

REGULARISATION = 0.03


def functionals(clips: list[Clip], cache: Path) -> np.ndarray:
    """88 numbers a clip, of the whole file."""
    if not cache.exists():
        smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
        rows = []
        for i, clip in enumerate(clips):
            rows.append(smile.process_signal(augmentation.read(clip.path), augmentation.RATE_HZ).to_numpy()[0])
            if i % 500 == 499:
                print(f"eGeMAPS: {i + 1} of {len(clips)} clips", flush=True)
        np.save(cache, np.nan_to_num(np.array(rows)))
    return np.load(cache)


def without_speaker(values: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    result = values.copy()
    for speaker in set(speakers):
        result[speakers == speaker] -= values[speakers == speaker].mean(axis=0)
    return result


def judge(clips: list[Clip], tests: list[Clip], splits: list, data: Features, work: Path) -> dict:
    """Macro recall without and with the mean of each speaker taken out, laid out as the network's figures."""
    everything = list(clips) + tests
    plain = functionals(everything, work / f"egemaps-{'-'.join(sorted({clip.corpus for clip in everything}))}.npy")
    speakers = np.array([f"{clip.corpus}/{clip.speaker}" for clip in everything])
    corpus = np.array([clip.corpus for clip in everything])
    labels = np.array([clip.label for clip in everything])
    number = {clip: i for i, clip in enumerate(everything)}
    weighing = Features(np.zeros((len(clips), 0)), None, list(clips), np.ones(len(clips)))
    training = np.arange(len(everything)) < len(clips)
    figures: dict = {kind: {} for kind in ("unseenSpeakers", "unseenCorpora", "unseenTestCorpora")}
    for name, values in (("plain", plain), ("personal", without_speaker(plain, speakers))):
        guesses: dict = {kind: np.full(len(everything), -1) for kind in figures}

        def fit(rows: np.ndarray):
            kept = np.flatnonzero(rows)
            model = make_pipeline(StandardScaler(), LogisticRegression(C=REGULARISATION, max_iter=500))
            return model.fit(values[kept], labels[kept], logisticregression__sample_weight=balanced_weights(weighing.subset(kept), 0.5))

        for split in splits:
            groups = {}
            for kind, mask in (("unseenSpeakers", split.unheard_speakers(data)), ("unseenCorpora", split.unheard_corpus(data))):
                groups[kind] = sorted({number[data.clips[row]] for row in np.flatnonzero(mask)})
            rows = training.copy()
            rows[[i for group in groups.values() for i in group]] = False
            model = fit(rows)
            for kind, group in groups.items():
                if group:
                    guesses[kind][group] = model.predict(values[group])
        if tests:
            guesses["unseenTestCorpora"][~training] = fit(training).predict(values[~training])
        for kind, guess in guesses.items():
            for c in sorted(set(corpus[guess >= 0])):
                rows = (corpus == c) & (guess >= 0)
                hits = guess[rows] == labels[rows]
                figures[kind].setdefault(c, {})[name] = round(float(np.mean([hits[labels[rows] == k].mean() for k in range(3)])), 4)
    return figures
