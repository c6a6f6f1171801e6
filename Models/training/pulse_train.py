"""Trains the PPG network on Stress-Predict or DEAP, measures it on people it has not seen, and exports it.

    python pulse_train.py --data stress-predict --node ../../.build/release/rppg-node --work /tmp/pulse --out ../pulse
    python pulse_train.py --data data_preprocessed_python --node ../../.build/release/rppg-node --work /tmp/pulse-deap --out ../pulse-deap

--data   Stress-Predict: a folder of SNN.npz files (bvp, bvp_scale, fs_hz, start_epoch_s, label_epoch_s, label_stress);
         DEAP: a folder of sNN.dat files
--node   the rppg-node executable: features come from the same code that serves the network
--work   a folder for features and checkpoints; what is there already is used again
--out    the model folder to write

Stress-Predict knows stress and no stress. Stress is taken for "negative", no stress for "neutral"; "positive" has no
example, and the exported network never claims it. DEAP's valence knows all three (pulse_recordings.py).
"""

import argparse
import copy
import dataclasses
import hashlib
import json
import pathlib
import subprocess

import numpy as np
import torch
from torch import nn

import pulse_recordings
from pulse_recordings import NEGATIVE, NEUTRAL, POSITIVE

SEED = 20261123
FOLDS = 5
VALIDATION_PEOPLE = 4
EPOCHS = 160
PATIENCE = 6
BATCH = 512
# Of each person and class, drawn anew in every epoch.
PER_CLASS = 300
LEARNING_RATE = 1e-4
WEIGHT_DECAY = 0.03
POSITIVE_LOGIT = -30.0
CLASS_NAMES = {POSITIVE: "positive", NEUTRAL: "neutral", NEGATIVE: "negative"}

# The fields of PPGFeatureSettings in Sources/Pulse.
SETTINGS = dict(rateHz=128, clipSeconds=1, windowSeconds=12, edgeSeconds=0.5, trendDegreePerMinute=50, bandPassOrder=5,
                lowHz=0.5, highHz=40, averageWidth=10, peakProminence=0.5, signalMean=0, signalStandardDeviation=1)


@dataclasses.dataclass
class Dataset:
    """What is trained on, and what the card says of it."""

    classes: list[int]
    """Those that have examples, in the order of the network's outputs."""
    data: str
    licence: str
    limits: list[str]
    name: str
    command: str


STRESS_PREDICT = Dataset(
    classes=[NEUTRAL, NEGATIVE], name="pulse", command="--data stress-predict --work /tmp/pulse --out Models/pulse", licence="MIT",
    data="Stress-Predict (wrist PPG of 28 people), stress = negative, no stress = neutral, no positive",
    limits=[
        "Hardly better than chance on people it has not seen: draw no conclusions from its label.",
        "Hears stress or no stress, nothing else: negative stands for stress, neutral for no stress.",
        f"Positive is never claimed: its logit is the constant {POSITIVE_LOGIT:g}.",
        "Trained on contact PPG of the wrist, brought to 30 Hz; not measured on pulse waves from video, where it can only be worse.",
    ])
DEAP = Dataset(
    classes=[POSITIVE, NEUTRAL, NEGATIVE], name="pulse-deap", command="--data data_preprocessed_python --work /tmp/pulse-deap --out Models/pulse-deap",
    licence="DEAP's end user licence agreement: research only",
    data="DEAP (finger PPG of 32 people who watched 40 music videos each); valence below 2 = negative, above 7 = positive, between = neutral",
    limits=["Trained on contact PPG of a finger, brought to 30 Hz; not measured on pulse waves from video, where it can only be worse."])


class PPGNetwork(nn.Module):
    """Four convolutions without padding (128 samples become 6 of 256 channels: 1536 values), then four linear layers."""

    def __init__(self, classes):
        super().__init__()
        layers = []
        for inputs, outputs in zip([3, 32, 64, 128], [32, 64, 128, 256]):
            layers += [nn.Conv1d(inputs, outputs, 3), nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(2)]
        layers.append(nn.Flatten())
        for inputs, outputs in zip([1536, 1024, 512], [1024, 512, 256]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        layers.append(nn.Linear(256, classes))
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "node", "work", "out"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    options.work.mkdir(parents=True, exist_ok=True)

    dataset = DEAP if any(options.data.glob("s[0-9][0-9].dat")) else STRESS_PREDICT
    waves = (deap_waves if dataset is DEAP else stress_predict_waves)(options.data)
    settings = dict(SETTINGS)
    clips = load(options, waves, dataset, settings, "raw")
    signals = np.concatenate([person["x"][:, 0] for person in clips.values()])
    settings["signalMean"] = round(float(signals.mean()), 6)
    settings["signalStandardDeviation"] = round(float(signals.std()), 6)
    clips = load(options, waves, dataset, settings, "standardised")
    for name, person in clips.items():
        shares = ", ".join(f"{(person['y'] == label).mean():.0%} {CLASS_NAMES[kind]}" for label, kind in enumerate(dataset.classes))
        print(f"{name}: {len(person['y'])} single pulses of {person['seconds']} s, {shares}", flush=True)

    result = options.work / "cross-validation.json"
    if not result.exists():
        result.write_text(json.dumps(cross_validate(clips, dataset), indent=2))
    metrics = json.loads(result.read_text())
    print(json.dumps(metrics["summary"], indent=2), flush=True)

    epochs = round(float(np.median(metrics["bestEpochs"])))
    network = train(clips, list(clips), None, SEED + 100, epochs, len(dataset.classes))[0]
    export(network, clips, dataset, settings, metrics, epochs, options)


# Data

@dataclasses.dataclass
class Wave:
    """A recording of a contact sensor, and what it is labelled with."""

    name: str
    person: str
    rate_hz: float
    values: np.ndarray
    labels: object
    """Seconds since the start [n] -> class [n], -1 where none is known."""


def stress_predict_waves(folder):
    waves = []
    for path in sorted(folder.glob("S*.npz")):
        recording = np.load(path)
        start, epochs, stress = float(recording["start_epoch_s"]), recording["label_epoch_s"], recording["label_stress"]

        def labels(seconds, start=start, epochs=epochs, stress=stress):
            second = np.floor(start + seconds).astype(np.int64)
            index = np.minimum(np.searchsorted(epochs, second), len(epochs) - 1)
            return np.where(epochs[index] == second, np.where(stress[index] == 1, NEGATIVE, NEUTRAL), -1)

        waves.append(Wave(path.stem, path.stem, float(recording["fs_hz"]), recording["bvp"] * float(recording["bvp_scale"]), labels))
    if not waves:
        raise SystemExit(f"{folder}: holds neither SNN.npz (Stress-Predict) nor sNN.dat (DEAP)")
    return waves


def deap_waves(folder):
    return [
        Wave(f"{trial.person}-{trial.trial:02}", trial.person, trial.rate_hz, trial.wave, lambda seconds, label=trial.label: np.full(len(seconds), label))
        for trial in pulse_recordings.load_deap(folder)]


def load(options, waves, dataset, settings, label):
    """The single-pulse clips of each person: x (n, 3, 128), y (n; a number in the data set's classes) and the recording (n; its number)."""
    folder = options.work / label
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings))
    clips = {}
    for number, wave in enumerate(waves):
        rows_path = folder / f"{wave.name}.npy"
        if not rows_path.exists():
            times = np.arange(len(wave.values)) * (1000 / wave.rate_hz)
            table = options.work / f"{wave.name}.csv"
            np.savetxt(table, np.column_stack([times, wave.values]), ["%.3f", "%.6g"], ",", header="time_ms,wave", comments="")
            subprocess.run([options.node, "features", "--settings", folder / "settings.json", "--output", folder, table],
                           check=True)
        rows = np.load(rows_path)
        # The label of the second in whose middle the clip lies.
        labels = wave.labels(rows[:, 0].astype(np.float64) - 0.5)  # seconds since 1970 do not fit into 32 bits
        chosen = (labels >= 0) & (rows[:, 1] == 1)
        person = clips.setdefault(wave.person, dict(x=[], y=[], recording=[], seconds=0))
        person["x"].append(rows[chosen, 2:].reshape(-1, 3, 128))
        person["y"].append(np.searchsorted(dataset.classes, labels[chosen]))
        person["recording"].append(np.full(int(chosen.sum()), number))
        person["seconds"] += int((labels >= 0).sum())
    return {
        name: {key: np.concatenate(values) if isinstance(values, list) else values for key, values in person.items()}
        for name, person in clips.items()}


def gather(clips, people):
    return (np.concatenate([clips[person]["x"] for person in people]),
            np.concatenate([clips[person]["y"] for person in people]))


def undersampled(clips, people, rng):
    """Indices into gather(clips, people): of each person equally many clips of each class that the person has, PER_CLASS at most."""
    chosen, offset = [], 0
    for person in people:
        y = clips[person]["y"]
        classes = [np.flatnonzero(y == label) for label in np.unique(y)]
        count = min([PER_CLASS, *map(len, classes)])
        chosen += [offset + rng.choice(members, count, replace=False) for members in classes]
        offset += len(y)
    return np.concatenate(chosen)


# Training and measuring

def train(clips, people, validation_people, seed, epochs, classes):
    """Trains until the validation people's loss has not fallen for PATIENCE epochs, or for `epochs` without any."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    x, y = gather(clips, people)
    network = PPGNetwork(classes)
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    best = (np.inf, 0, None)
    if validation_people:
        vx, vy = gather(clips, validation_people)
        chosen = undersampled(clips, validation_people, rng)
        vx, vy = vx[chosen], vy[chosen]
    for epoch in range(1, epochs + 1):
        network.train()
        order = rng.permutation(undersampled(clips, people, rng))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[start:start + BATCH]
            loss = nn.functional.cross_entropy(network(torch.from_numpy(x[batch])), torch.from_numpy(y[batch]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if not validation_people:
            continue
        logits = predict(network, vx)
        validation_loss = float(nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(vy)))
        print(f"  epoch {epoch}: validation loss {validation_loss:.4f}, UAR {uar(vy, logits.argmax(1)):.3f}", flush=True)
        if validation_loss < best[0]:
            best = (validation_loss, epoch, copy.deepcopy(network.state_dict()))
        elif epoch - best[1] >= PATIENCE:
            break
    if best[2]:
        network.load_state_dict(best[2])
    network.eval()
    return network, best[1]


@torch.no_grad()
def predict(network, x):
    network.eval()
    return torch.cat([network(torch.from_numpy(part)) for part in np.array_split(x, max(1, len(x) // 2048))]).numpy()


def uar(y, predicted):
    """Of the classes that there are."""
    return float(np.mean([(predicted[y == label] == label).mean() for label in np.unique(y)]))


def cross_validate(clips, dataset):
    people = np.array(sorted(clips))
    np.random.default_rng(SEED).shuffle(people)
    predictions, best_epochs, folds = {}, [], []
    for fold, held_out in enumerate(np.array_split(people, FOLDS)):
        rest = [person for person in people if person not in held_out]
        validation, training = rest[:VALIDATION_PEOPLE], rest[VALIDATION_PEOPLE:]
        network, epoch = train(clips, training, validation, SEED + fold, EPOCHS, len(dataset.classes))
        best_epochs.append(epoch)
        folds.append([str(person) for person in held_out])
        for person in held_out:
            predictions[str(person)] = predict(network, clips[person]["x"])
        x, y = gather(clips, held_out)
        print(f"fold {fold}: best epoch {epoch}, held-out UAR {uar(y, predict(network, x).argmax(1)):.4f}", flush=True)
    y = {person: clips[person]["y"] for person in predictions}
    single = {person: logits.argmax(1) for person, logits in predictions.items()}
    smooth = {
        person: np.concatenate([
            running_mean(logits[clips[person]["recording"] == number], 60).argmax(1) for number in np.unique(clips[person]["recording"])])
        for person, logits in predictions.items()}
    return dict(summary=dict(singlePulse=summary(y, single, dataset), meanOf60Pulses=summary(y, smooth, dataset)), bestEpochs=best_epochs,
                folds=folds, uarByPerson={person: round(uar(y[person], single[person]), 4) for person in single})


def running_mean(values, count):
    """Over the last `count` values, fewer at the start."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
    index = np.arange(1, len(values) + 1)
    start = np.maximum(0, index - count)
    return (sums[index] - sums[start]) / (index - start)[:, None]


def summary(y, predicted, dataset):
    """UAR and accuracy over all clips; the interval from resampling people, since clips of one person are not independent."""
    people = sorted(y)
    truth, guess = (np.concatenate([part[person] for person in people]) for part in (y, predicted))
    rng = np.random.default_rng(SEED)
    draws = []
    for _ in range(2000):
        drawn = rng.choice(people, len(people))
        draws.append(uar(np.concatenate([y[p] for p in drawn]), np.concatenate([predicted[p] for p in drawn])))
    low, high = np.percentile(draws, [2.5, 97.5])
    recalls = {
        f"recall{CLASS_NAMES[kind].capitalize()}": round(float((guess[truth == label] == label).mean()), 4)
        for label, kind in enumerate(dataset.classes)}
    return dict(uar=round(uar(truth, guess), 4), uar95=[round(low, 4), round(high, 4)], chanceUAR=round(1 / len(dataset.classes), 4),
                accuracy=round(float((truth == guess).mean()), 4),
                accuracyOfAlwaysNeutral=round(float((truth == dataset.classes.index(NEUTRAL)).mean()), 4),
                **recalls, clips=len(truth), people=len(people))


# Export

def fold_and_round(network, dataset):
    """Batch normalisation folded into the convolutions, an output for "positive" if the data have none, all weights rounded to float16."""
    weights = []
    layers = list(network.layers)
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.Conv1d):
            norm = layers[index + 1]
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            weights.append((layer.weight * scale[:, None, None], (layer.bias - norm.running_mean) * scale + norm.bias))
        elif isinstance(layer, nn.Linear):
            weights.append((layer.weight, layer.bias))
    if POSITIVE not in dataset.classes:
        last_weight, last_bias = weights[-1]
        weights[-1] = (torch.cat([torch.zeros(1, last_weight.shape[1]), last_weight]),
                       torch.cat([torch.tensor([POSITIVE_LOGIT]), last_bias]))
    return [(weight.detach().half(), bias.detach().half()) for weight, bias in weights]


class FoldedNetwork(nn.Module):
    """What is exported, in PyTorch."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def forward(self, x):
        for index, (weight, bias) in enumerate(self.weights):
            weight, bias = weight.float(), bias.float()
            if weight.ndim == 3:
                x = nn.functional.max_pool1d(torch.relu(nn.functional.conv1d(x, weight, bias)), 2)
            else:
                x = nn.functional.linear(x.flatten(1), weight, bias)
                if index < len(self.weights) - 1:
                    x = torch.relu(x)
        return x


def onnx_model(weights):
    """The same as an ONNX graph: float16 weights, widened to float32 before use."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, initialisers, current = [], [], "clips"
    for index, pair in enumerate(weights):
        names = []
        for kind, values in zip(("weight", "bias"), pair):
            name = f"{kind}{index}"
            initialisers.append(numpy_helper.from_array(values.numpy(), name + "_half"))
            nodes.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
            names.append(name)
        if pair[0].ndim == 3:
            nodes.append(helper.make_node("Conv", [current, *names], [f"conv{index}"], kernel_shape=[3]))
            nodes.append(helper.make_node("Relu", [f"conv{index}"], [f"relu{index}"]))
            nodes.append(helper.make_node("MaxPool", [f"relu{index}"], [f"pool{index}"], kernel_shape=[2], strides=[2]))
            current = f"pool{index}"
        else:
            if weights[index - 1][0].ndim == 3:
                nodes.append(helper.make_node("Flatten", [current], ["flat"], axis=1))
                current = "flat"
            is_last = index == len(weights) - 1
            output = "logits" if is_last else f"linear{index}"
            nodes.append(helper.make_node("Gemm", [current, *names], [output], transB=1))
            current = output
            if not is_last:
                nodes.append(helper.make_node("Relu", [output], [f"relu{index}"]))
                current = f"relu{index}"
    graph = helper.make_graph(
        nodes, "ppg", [helper.make_tensor_value_info("clips", TensorProto.FLOAT, ["batch", 3, 128])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])], initialisers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def export(network, clips, dataset, settings, metrics, epochs, options):
    weights = fold_and_round(network, dataset)
    options.out.mkdir(parents=True, exist_ok=True)
    content = onnx_model(weights)
    (options.out / "model.onnx").write_bytes(content)

    # Golden logits for the tests: PyTorch's, on waves that are not from the data set.
    reference = FoldedNetwork(weights)
    rng = np.random.default_rng(SEED)
    inputs = rng.standard_normal((4, 3, 128)).astype(np.float32)
    with torch.no_grad():
        logits = reference(torch.from_numpy(inputs)).numpy()
    (options.work / "network.json").write_text(json.dumps(
        [dict(channels=[float(v) for v in i.ravel()], logits=[float(v) for v in o]) for i, o in zip(inputs, logits)]) + "\n")

    import openvino
    served = openvino.Core().compile_model(str(options.out / "model.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    x, _ = gather(clips, list(clips)[:2])
    with torch.no_grad():
        expected = reference(torch.from_numpy(x)).numpy()
    print("OpenVINO against PyTorch:", np.abs(served(x)[0] - expected).max(), flush=True)
    full = predict(network, x)
    print("rounding to float16 moves logits by at most", np.abs(expected[:, -full.shape[1]:] - full).max(), flush=True)

    card = dict(
        name=dataset.name, task="pulse", architecture="1-D CNN on single pulses: Conv1d 3-32-64-128-256 (kernel 3, batch norm "
        "folded in, ReLU, max-pool 2), linear 1536-1024-512-256-3", labels=["positive", "neutral", "negative"],
        input=dict(shape=[-1, 3, 128], normalisation=None), settings=settings,
        training=dict(
            data=dataset.data, licence=dataset.licence, split=f"by person; {FOLDS}-fold for the metrics, {VALIDATION_PEOPLE} people of each "
            f"fold's training part for early stopping; the shipped weights are trained on all {len(clips)} for the median of the folds' best "
            "epochs; the scaler's two numbers come from all of them",
            seed=SEED, epochs=epochs, command=f"python Models/training/pulse_train.py --node .build/release/rppg-node {dataset.command}"),
        metrics=metrics["summary"] | dict(uarByPerson=metrics["uarByPerson"]),
        limits=dataset.limits + ["Physical effort, illness and medicine change the pulse as stress does."],
        sha256=hashlib.sha256(content).hexdigest())
    (options.out / "model.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
