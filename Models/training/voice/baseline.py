"""The personal baseline: how a person usually sounds, taken out of what the network says.

The second head of the network is linear and was trained on embeddings less the speaker's mean. So it is enough to know the
mean of its three outputs over a person's speech, shrunk towards the population's while little was heard. How far the
result is trusted against the plain logits grows with the speech heard too.
"""

from dataclasses import dataclass

import numpy as np

from . import metrics
from .features import Features

CANDIDATES = (0.5, 2, 4, 8, 16)


@dataclass
class Outputs:
    """What a network says about the windows of people it has not met."""

    data: Features
    plain: np.ndarray
    relative: np.ndarray
    population: np.ndarray
    """The mean of relative logits over people it was trained on, one row a window (networks differ)."""
    people: np.ndarray
    """Whose window it is; one person is another one to another network."""

    def of(self, rows: np.ndarray) -> "Outputs":
        return Outputs(self.data.subset(rows), self.plain[rows], self.relative[rows], self.population[rows], self.people[rows])


def joined(parts: list[Outputs]) -> Outputs:
    return Outputs(Features.joined([p.data for p in parts]), *(
        np.concatenate([getattr(p, name) for p in parts]) for name in ("plain", "relative", "population", "people")))


@dataclass
class Baseline:
    """relative logits - shrunk mean + bias, all over the temperature, mixed with the plain logits by n / (n + mixing)."""

    bias: np.ndarray
    temperature: float
    shrinkage: float
    mixing: float

    def logits(self, plain: np.ndarray, relative: np.ndarray, mean: np.ndarray, population: np.ndarray, heard: np.ndarray) -> np.ndarray:
        heard = heard[:, None]
        shrunk = (self.shrinkage * population + heard * mean) / (self.shrinkage + heard)
        share = heard / (heard + self.mixing)
        return (1 - share) * plain + share * ((relative - shrunk) / self.temperature + self.bias)

    def knowing_all(self, outputs: Outputs, plain: np.ndarray) -> np.ndarray:
        """All of a person's speech is known, as with `classify --same-person`."""
        mean, heard = np.zeros_like(outputs.relative), np.zeros(len(plain))
        for person in np.unique(outputs.people):
            rows = outputs.people == person
            share = outputs.data.new_speech[rows]
            mean[rows], heard[rows] = share @ outputs.relative[rows] / share.sum(), share.sum()
        return self.logits(plain, outputs.relative, mean, outputs.population, heard)

    def while_hearing(self, outputs: Outputs, plain: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each clip is judged with what was heard of its speaker up to its end, in this order of windows. Also: how much."""
        result, heard = np.zeros_like(plain), np.zeros(len(plain))
        for person in np.unique(outputs.people):
            rows = order[outputs.people[order] == person]
            share = outputs.data.new_speech[rows]
            heard[rows] = np.cumsum(share)
            mean = np.cumsum(share[:, None] * outputs.relative[rows], axis=0) / heard[rows, None]
            result[rows] = self.logits(plain[rows], outputs.relative[rows], mean, outputs.population[rows], heard[rows])
        return result, heard


def class_weights(data: Features) -> np.ndarray:
    """Corpora, and the classes within each, count the same."""
    weights = np.zeros(len(data.clips))
    for corpus in set(data.corpora):
        for label in range(3):
            rows = (data.corpora == corpus) & (data.labels == label)
            weights[rows] = 1 / max(1, rows.sum())
    return weights


def calibrated(outputs: Outputs, plain: np.ndarray, shrinkage: float, mixing: float) -> Baseline:
    """Bias and temperature of the centred relative logits, on people whom the network has not met."""
    centred = Baseline(np.zeros(3), 1.0, 1e-9, 1e-9).knowing_all(outputs, plain)
    temperature, bias = metrics.best_temperature_and_bias(centred, outputs.data.labels, class_weights(outputs.data))
    return Baseline(bias, temperature, shrinkage, mixing)


def macro_recall(logits: np.ndarray, labels: np.ndarray) -> float:
    hit = logits.argmax(axis=1) == labels
    return float(np.mean([hit[labels == label].mean() for label in np.unique(labels)]))


def scenarios(baseline: Baseline, outputs: Outputs, plain: np.ndarray, seed: int) -> dict[str, float]:
    """Macro recall, mean over the corpora, by window: all known; while hearing clips in random order; of the first 10; and
    with people who show one class only (the worst case), over their first 20 clips."""
    generator = np.random.default_rng(seed)
    data, labels = outputs.data, outputs.data.labels
    clip_number = {clip: i for i, clip in enumerate(dict.fromkeys(data.clips))}
    place = generator.permutation(len(clip_number))
    order = np.argsort([place[clip_number[clip]] for clip in data.clips], kind="stable")
    shuffled, heard = baseline.while_hearing(outputs, plain, order)
    alone = np.zeros_like(plain)
    alone_heard = np.zeros(len(plain))
    for label in range(3):
        rows = order[labels[order] == label]
        part = outputs.of(rows)
        alone[rows], alone_heard[rows] = baseline.while_hearing(part, plain[rows], np.arange(len(rows)))
    every = baseline.knowing_all(outputs, plain)
    corpora = sorted(set(data.corpora))

    def mean(logits: np.ndarray, rows: np.ndarray) -> float:
        return float(np.mean([macro_recall(logits[rows & (data.corpora == c)], labels[rows & (data.corpora == c)]) for c in corpora]))

    everything = np.ones(len(plain), bool)
    return {
        "plain": mean(plain, everything), "allKnown": mean(every, everything), "whileHearing": mean(shuffled, everything),
        "firstTen": mean(shuffled, heard <= 10), "plainFirstTen": mean(plain, heard <= 10),
        "oneClassOnly": mean(alone, alone_heard <= 20), "plainOneClassOnly": mean(plain, alone_heard <= 20)}


def chosen(outputs: Outputs, plain: np.ndarray, seed: int) -> tuple[Baseline, dict[str, float]]:
    """The shrinkage and the mixing with the best mean of the scenarios."""
    calibration = calibrated(outputs, plain, 1, 1)
    best, best_score, best_figures = None, -1.0, {}
    for shrinkage in CANDIDATES:
        for mixing in CANDIDATES:
            trial = Baseline(calibration.bias, calibration.temperature, shrinkage, mixing)
            figures = scenarios(trial, outputs, plain, seed)
            score = figures["allKnown"] + figures["whileHearing"] + figures["firstTen"] + figures["oneClassOnly"]
            if score > best_score:
                best, best_score, best_figures = trial, score, figures
    return best, best_figures
