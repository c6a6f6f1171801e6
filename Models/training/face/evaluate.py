"""Figures of a face network: accuracy, per-class recall, calibration, confusion."""

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import gammaln

from network import CLASSES, EMOTIONS
from pictures import standardised, upright


def logits_of(network, pictures, size, batch_size=128):
    """Eight-emotion logits (n, 8) of whole pictures, as `face-node classify --cropped` gives them to the network."""
    network.eval()
    rows = []
    with torch.no_grad():
        for start in range(0, len(pictures), batch_size):
            images = [upright(image, size) for image in pictures.images[start : start + batch_size]]
            x = torch.from_numpy(standardised(images)).contiguous(memory_format=torch.channels_last)
            rows.append(network(x)[1].numpy())
    return np.concatenate(rows)


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def folded(emotion_logits):
    from network import fold

    return fold(torch.from_numpy(np.asarray(emotion_logits, dtype=np.float64))).numpy()


def report(emotion_logits, pictures):
    """Against the strongest class of the votes. Ties between classes count as the first in class order."""
    truth = pictures.class_targets().argmax(axis=1)
    probabilities = np.exp(folded(emotion_logits))
    guess = probabilities.argmax(axis=1)
    confusion = np.zeros((3, 3), dtype=int)
    for t, g in zip(truth, guess):
        confusion[t, g] += 1
    recall = confusion.diagonal() / confusion.sum(axis=1)
    precision = confusion.diagonal() / np.maximum(1, confusion.sum(axis=0))
    emotion_truth = pictures.targets.argmax(axis=1)
    return {
        "pictures": len(pictures),
        "accuracy": float((truth == guess).mean()),
        "macroRecall": float(recall.mean()),
        "recall": {name: float(value) for name, value in zip(CLASSES, recall)},
        "precision": {name: float(value) for name, value in zip(CLASSES, precision)},
        "confusion": confusion.tolist(),
        "expectedCalibrationError": calibration_error(reliability(probabilities, truth)),
        "reliability": reliability(probabilities, truth),
        "negativeLogLikelihood": float(-(pictures.class_targets() * np.log(probabilities + 1e-12)).sum(axis=1).mean()),
        "emotionAccuracy": float((emotion_logits.argmax(axis=1) == emotion_truth).mean()),
        "emotionRecall": {
            name: float((emotion_logits.argmax(axis=1)[emotion_truth == e] == e).mean())
            for e, name in enumerate(EMOTIONS)
            if (emotion_truth == e).any()
        },
    }


def annotator_agreement(pictures, seed, repeats=20):
    """What the labels themselves allow: how often one more annotator, and how often another ten, would name the strongest class of a
    picture's ten votes. A picture's true shares are not known, only ten votes drawn from them: they are drawn anew from a Dirichlet
    distribution, which is fitted to all votes, given the picture's own."""
    votes = pictures.class_targets().astype(np.float64)
    votes *= 10 / votes.sum(axis=1, keepdims=True)
    truth = votes.argmax(axis=1)

    def cost(log_prior):  # negative log-likelihood of the Dirichlet-multinomial, without what does not depend on the prior
        prior = np.exp(log_prior)
        each = gammaln(prior.sum()) - gammaln(10 + prior.sum()) + (gammaln(votes + prior) - gammaln(prior)).sum(axis=1)
        return -each.sum()

    prior = np.exp(minimize(cost, np.zeros(3)).x)
    random = np.random.default_rng(seed)
    others = []
    for _ in range(repeats):
        shares = random.gamma(votes + prior)
        shares /= shares.sum(axis=1, keepdims=True)
        others.append((random.multinomial(10, shares).argmax(axis=1) == truth).mean())
    one = ((votes + prior) / (10 + prior.sum()))[np.arange(len(truth)), truth].mean()
    return {"one": float(one), "ten": float(np.mean(others))}


def reliability(probabilities, truth, bin_count=15):
    """How often the winning class is right, by how sure the network is of it: for each bin of confidence that holds
    pictures, their number, mean confidence, and accuracy."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * bin_count).astype(int), bin_count - 1)
    return [
        {
            "pictures": int((bins == b).sum()),
            "confidence": float(confidence[bins == b].mean()),
            "accuracy": float(right[bins == b].mean()),
        }
        for b in np.unique(bins)
    ]


def calibration_error(bins):
    """Expected calibration error: the mean gap between confidence and accuracy (Guo et al. 2017)."""
    count = sum(b["pictures"] for b in bins)
    return sum(b["pictures"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / count
