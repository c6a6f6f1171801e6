"""The default voice network: Whisper tiny's first encoder layers, frozen, and a linear head over the pooled speech.

Trained on all `--train` corpora together, judged on speakers and corpora that were left out.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from . import augmentation, corpora, features, metrics, model_folder, whisper_card
from .features import Features
from .whisper_encoder import Encoder, pooled

FOLDS = 5
SETTINGS = {
    "layers": 2, "regularisation": [0.00003, 0.0001, 0.0003, 0.003], "augmentedShare": 0.0, "corpusPower": 0.5, "seed": 1,
}


class WhisperVoice(nn.Module):
    """Log-mel images (N x 80 x 300) and speech weights (N x 150) to logits."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(768, 3)

    def forward(self, log_mel: torch.Tensor, speech_weights: torch.Tensor) -> torch.Tensor:
        return self.head(pooled(self.encoder(log_mel), speech_weights))


class Head:
    """Standardisation and multinomial logistic regression."""

    def __init__(self, embeddings: np.ndarray, labels: np.ndarray, weights: np.ndarray, regularisation: float):
        share = weights / weights.sum()
        self.mean = share @ embeddings
        self.deviation = np.sqrt(share @ (embeddings - self.mean) ** 2) + 1e-6
        # LogisticRegression's C weighs the data's sum; weights of mean 1 make it independent of the corpora's sizes.
        self.model = LogisticRegression(C=regularisation, max_iter=200, tol=1e-3)
        self.model.fit((embeddings - self.mean) / self.deviation, labels, sample_weight=weights / weights.mean())

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        return ((embeddings - self.mean) / self.deviation) @ self.model.coef_.T + self.model.intercept_

    def folded(self, temperature: float) -> tuple[np.ndarray, np.ndarray]:
        """One linear layer on raw embeddings: weight (3 x 768) and bias."""
        weight = self.model.coef_ / self.deviation / temperature
        return weight, self.model.intercept_ / temperature - weight @ self.mean


def embed(encoder: Encoder, data: Features, cache: Path) -> np.ndarray:
    """Pooled states of every window, N x 768."""
    if cache.exists():
        return np.load(cache)
    parts = []
    with torch.no_grad():
        for start in range(0, len(data.clips), 32):
            images = torch.from_numpy(np.asarray(data.images[start : start + 32], dtype=np.float32))
            parts.append(pooled(encoder(images), torch.from_numpy(data.weights[start : start + 32])).numpy())
            if start % 640 == 0:
                print(f"{cache.stem}: {start} of {len(data.clips)} windows", flush=True)
    np.save(cache, np.concatenate(parts))
    return np.load(cache)


def balanced_weights(data: Features) -> np.ndarray:
    """Each clip counts once, then classes and speakers evenly within a corpus; corpora by a power of their size."""
    clip_of_row = [str(clip.path) for clip in data.clips]
    windows_of_clip = {clip: count for clip, count in zip(*np.unique(clip_of_row, return_counts=True))}
    weights = np.array([1 / windows_of_clip[clip] for clip in clip_of_row])
    corpus_total = {c: weights[data.corpora == c].sum() ** SETTINGS["corpusPower"] for c in set(data.corpora)}
    groupings = [
        np.array([f"{corpus} {label}" for corpus, label in zip(data.corpora, data.labels)]), data.speakers]
    for _ in range(20):  # iterative proportional fitting
        for groups in groupings:
            for corpus, total in corpus_total.items():
                inside = data.corpora == corpus
                names = sorted(set(groups[inside]))
                for name in names:
                    rows = inside & (groups == name)
                    weights[rows] *= total / len(names) / weights[rows].sum()
    return weights


def join(parts: list[Features]) -> Features:
    return Features(np.zeros(0), None, [clip for part in parts for clip in part.clips])


def subset(data: Features, rows: np.ndarray) -> Features:
    return Features(data.images, None, [clip for clip, keep in zip(data.clips, rows) if keep])


class Experiment:
    """Embeddings of the clips as recorded and of augmented copies: fits on both, judges on the recorded ones."""

    def __init__(self, data: Features, embeddings: np.ndarray, copies: list[tuple[Features, np.ndarray]]):
        self.data, self.embeddings = data, embeddings
        self.all = join([data] + [copy for copy, _ in copies])
        self.all_embeddings = np.concatenate([embeddings] + [vectors for _, vectors in copies])

    def fit(self, allowed, regularisation: float) -> Head:
        rows = np.array([allowed(clip) for clip in self.all.clips])
        part = subset(self.all, rows)
        return Head(self.all_embeddings[rows], part.labels, balanced_weights(part), regularisation)

    def held_out_speakers(self, regularisation: float) -> np.ndarray:
        """Logits of every recorded window, from a head that never met its speaker."""
        speakers = sorted(set(self.data.speakers))
        # Neighbours of a corpus go to different folds, so that each fold holds some of each corpus.
        fold_of = {}
        for corpus in sorted(set(self.data.corpora)):
            inside = [speaker for speaker in speakers if speaker.startswith(corpus + "/")]
            fold_of |= {speaker: i * FOLDS // len(inside) for i, speaker in enumerate(inside)}
        folds = np.array([fold_of[speaker] for speaker in self.data.speakers])
        logits = np.zeros((len(folds), 3))
        for fold in range(FOLDS):
            head = self.fit(lambda clip: fold_of[f"{clip.corpus}/{clip.speaker}"] != fold, regularisation)
            logits[folds == fold] = head.logits(self.embeddings[folds == fold])
        return logits

    def left_out_corpus(self, corpus: str, regularisation: float) -> np.ndarray:
        head = self.fit(lambda clip: clip.corpus != corpus, regularisation)
        return head.logits(self.embeddings[self.data.corpora == corpus])


def figures_of(logits: np.ndarray, temperature: float, data: Features) -> dict:
    probabilities, labels, _ = features.per_clip(metrics.softmax(logits / temperature), data)
    return metrics.evaluate(probabilities, labels)


def train(train_folders: list[Path], test_folders: list[Path], whisper: Path, audio_node: Path, work: Path, out: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    encoder = Encoder.pretrained(whisper, SETTINGS["layers"]).eval()
    clips = [clip for folder in train_folders for clip in corpora.load(folder) if clip.corpus not in corpora.EVALUATION_ONLY]
    data = features.compute(audio_node, clips, "log-mel", work / "train-mel.npy")
    embeddings = embed(encoder, data, work / "train-embeddings.npy")
    copied = augmentation.copies(clips, work / "copies", SETTINGS["augmentedShare"], SETTINGS["seed"])
    copy = features.compute(audio_node, copied, "log-mel", work / "copies-mel.npy") if copied else None
    copies = [(copy, embed(encoder, copy, work / "copies-embeddings.npy"))] if copy else []
    experiment = Experiment(data, embeddings, copies)
    names = sorted(set(data.corpora))

    trials = {}
    for regularisation in SETTINGS["regularisation"]:
        logits = experiment.held_out_speakers(regularisation)
        temperature = metrics.best_temperature(logits, data.labels)
        speakers = {name: figures_of(logits[data.corpora == name], temperature, subset(data, data.corpora == name)) for name in names}
        left_out = {
            name: figures_of(experiment.left_out_corpus(name, regularisation), temperature, subset(data, data.corpora == name))
            for name in names}
        score = np.mean([f["uar"] for f in [*speakers.values(), *left_out.values()]])
        print(f"C {regularisation}: mean UAR {score:.4f}, unseen speakers", {n: f["uar"] for n, f in speakers.items()},
              "unseen corpora", {n: f["uar"] for n, f in left_out.items()}, f"temperature {temperature:.2f}", flush=True)
        trials[regularisation] = (score, temperature, speakers, left_out)
    best = max(trials, key=lambda regularisation: trials[regularisation][0])
    _, temperature, speakers, left_out = trials[best]

    head = experiment.fit(lambda clip: True, best)
    unseen = {}
    for folder in test_folders:
        test_clips = [clip for clip in corpora.load(folder) if clip.corpus in corpora.EVALUATION_ONLY]
        test = features.compute(audio_node, test_clips, "log-mel", work / f"test-{folder.name}-mel.npy")
        vectors = embed(encoder, test, work / f"test-{folder.name}-embeddings.npy")
        for name in sorted(set(test.corpora)):
            rows = test.corpora == name
            unseen[name] = figures_of(head.logits(vectors[rows]), temperature, subset(test, rows))
            print(name, unseen[name], flush=True)

    network = WhisperVoice(encoder)
    weight, bias = head.folded(temperature)
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(weight))
        network.head.bias.copy_(torch.from_numpy(bias))
    torch.save(network.state_dict(), work / "voice-shipped.pt")
    example = (torch.from_numpy(np.asarray(data.images[:2], dtype=np.float32)), torch.from_numpy(data.weights[:2]))
    model_folder.export(network, example, ["log_mel", "speech_weights"], out / "model.onnx")
    model_folder.halve_weights(out / "model.onnx")
    whisper_card.write(out, SETTINGS | {"regularisation": best}, temperature, data, speakers, left_out, unseen)
