"""Figures of merit, all from probabilities and true labels."""

import numpy as np
import scipy.optimize
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score, roc_auc_score


def evaluate(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    predicted = probabilities.argmax(axis=1)
    figures = {
        "clips": int(len(labels)),
        "accuracy": float((predicted == labels).mean()),
        "uar": float(recall_score(labels, predicted, average="macro", zero_division=0)),
        "precision": float(precision_score(labels, predicted, average="macro", zero_division=0)),
        "f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "ece": calibration_error(probabilities, labels),
        "confusion": confusion_matrix(labels, predicted, labels=[0, 1, 2]).tolist(),
    }
    if len(set(labels.tolist())) == 3:
        figures["auroc"] = float(roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"))
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in figures.items()}


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error of the top class: mean gap between confidence and accuracy over equal bins."""
    confidence, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(sum(
        (bin_of == b).mean() * abs(confidence[bin_of == b].mean() - hit[bin_of == b].mean())
        for b in range(bins) if (bin_of == b).any()))


def softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)  # so that the sums are 1 closely enough for scikit-learn
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def best_temperature_and_bias(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """The temperature and the three offsets (after it; their mean is 0) with the least weighted negative log-likelihood, on
    held-out people."""
    share = weights / weights.sum()

    def loss(parameters: np.ndarray) -> float:
        probabilities = softmax(logits / np.exp(parameters[0]) + parameters[1:])
        return float(-share @ np.log(probabilities[np.arange(len(labels)), labels] + 1e-12))

    found = scipy.optimize.minimize(loss, np.zeros(4), method="L-BFGS-B").x
    return float(np.exp(found[0])), found[1:] - found[1:].mean()


def best_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least negative log-likelihood, on held-out people."""
    candidates = np.exp(np.linspace(np.log(0.25), np.log(8), 200))

    def loss(temperature: float) -> float:
        return -np.log(softmax(logits / temperature)[np.arange(len(labels)), labels] + 1e-12).mean()

    return float(min(candidates, key=loss))
