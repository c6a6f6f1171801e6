"""Trains the PPG network on Stress-Predict, measures it on people it has not seen, and exports it.

    python pulse_train.py --data stress-predict --node ../../.build/release/rppg-node --work /tmp/pulse --out ../pulse

--data   the folder of SNN.npz files (bvp, bvp_scale, fs_hz, start_epoch_s, label_epoch_s, label_stress)
--node   the rppg-node executable: features come from the same code that serves the network
--work   a folder for features and checkpoints; what is there already is used again
--out    the model folder to write

Stress-Predict knows stress and no stress. Stress is taken for "negative", no stress for "neutral"; "positive" has no
example, and the exported network never claims it.
"""

import argparse
import copy
import hashlib
import json
import pathlib
import subprocess

import numpy as np
import torch
from torch import nn

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
NEUTRAL, NEGATIVE = 1, 2

# The fields of PPGFeatureSettings in Sources/Pulse.
SETTINGS = dict(rateHz=128, clipSeconds=1, windowSeconds=12, edgeSeconds=0.5, trendDegreePerMinute=50, bandPassOrder=5,
                lowHz=0.5, highHz=40, averageWidth=10, peakProminence=0.5, signalMean=0, signalStandardDeviation=1)


class PPGNetwork(nn.Module):
    """Four convolutions without padding (128 samples become 6 of 256 channels: 1536 values), then four linear layers."""

    def __init__(self):
        super().__init__()
        layers = []
        for inputs, outputs in zip([3, 32, 64, 128], [32, 64, 128, 256]):
            layers += [nn.Conv1d(inputs, outputs, 3), nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(2)]
        layers.append(nn.Flatten())
        for inputs, outputs in zip([1536, 1024, 512], [1024, 512, 256]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        layers.append(nn.Linear(256, 2))  # neutral, negative
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

    settings = dict(SETTINGS)
    clips = load(options, settings, "raw")
    signals = np.concatenate([person["x"][:, 0] for person in clips.values()])
    settings["signalMean"] = round(float(signals.mean()), 6)
    settings["signalStandardDeviation"] = round(float(signals.std()), 6)
    clips = load(options, settings, "standardised")
    for name, person in clips.items():
        print(f"{name}: {len(person['y'])} single pulses of {person['seconds']} s, {person['y'].mean():.0%} stress", flush=True)

    result = options.work / "cross-validation.json"
    if not result.exists():
        result.write_text(json.dumps(cross_validate(clips), indent=2))
    metrics = json.loads(result.read_text())
    print(json.dumps(metrics["summary"], indent=2), flush=True)

    epochs = round(float(np.median(metrics["bestEpochs"])))
    network = train(clips, list(clips), None, SEED + 100, epochs)[0]
    export(network, clips, settings, metrics, epochs, options)


# Data

def load(options, settings, label):
    """The single-pulse clips of each person: x (n, 3, 128) and y (n; 1 is stress)."""
    folder = options.work / label
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings))
    clips = {}
    for path in sorted(options.data.glob("S*.npz")):
        recording = np.load(path)
        rows_path = folder / f"{path.stem}.npy"
        if not rows_path.exists():
            wave = recording["bvp"] * float(recording["bvp_scale"])
            times = np.arange(len(wave)) * (1000 / float(recording["fs_hz"]))
            table = options.work / f"{path.stem}.csv"
            np.savetxt(table, np.column_stack([times, wave]), "%.6g", ",", header="time_ms,wave", comments="")
            subprocess.run([options.node, "features", "--settings", folder / "settings.json", "--output", folder, table],
                           check=True)
        rows = np.load(rows_path)
        # The label of the second in whose middle the clip lies.
        second = np.floor(float(recording["start_epoch_s"]) + rows[:, 0] - 0.5).astype(np.int64)
        index = np.searchsorted(recording["label_epoch_s"], second)
        known = (index < len(recording["label_epoch_s"]))
        known[known] = recording["label_epoch_s"][index[known]] == second[known]
        chosen = known & (rows[:, 1] == 1)
        clips[path.stem] = dict(
            x=rows[chosen, 2:].reshape(-1, 3, 128), y=recording["label_stress"][index[chosen]].astype(np.int64),
            seconds=int(known.sum()))
    return clips


def gather(clips, people):
    return (np.concatenate([clips[person]["x"] for person in people]),
            np.concatenate([clips[person]["y"] for person in people]))


def undersampled(clips, people, rng):
    """Indices into gather(clips, people): of each person equally many clips of both classes, PER_CLASS at most."""
    chosen, offset = [], 0
    for person in people:
        y = clips[person]["y"]
        classes = [np.flatnonzero(y == label) for label in (0, 1)]
        count = min(PER_CLASS, *map(len, classes))
        chosen += [offset + rng.choice(members, count, replace=False) for members in classes]
        offset += len(y)
    return np.concatenate(chosen)


# Training and measuring

def train(clips, people, validation_people, seed, epochs):
    """Trains until the validation people's loss has not fallen for PATIENCE epochs, or for `epochs` without any."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    x, y = gather(clips, people)
    network = PPGNetwork()
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
    return float(np.mean([(predicted[y == label] == label).mean() for label in (0, 1)]))


def cross_validate(clips):
    people = np.array(sorted(clips))
    np.random.default_rng(SEED).shuffle(people)
    predictions, best_epochs, folds = {}, [], []
    for fold, held_out in enumerate(np.array_split(people, FOLDS)):
        rest = [person for person in people if person not in held_out]
        validation, training = rest[:VALIDATION_PEOPLE], rest[VALIDATION_PEOPLE:]
        network, epoch = train(clips, training, validation, SEED + fold, EPOCHS)
        best_epochs.append(epoch)
        folds.append([str(person) for person in held_out])
        for person in held_out:
            predictions[str(person)] = predict(network, clips[person]["x"])
        x, y = gather(clips, held_out)
        print(f"fold {fold}: best epoch {epoch}, held-out UAR {uar(y, predict(network, x).argmax(1)):.4f}", flush=True)
    y = {person: clips[person]["y"] for person in predictions}
    single = {person: logits.argmax(1) for person, logits in predictions.items()}
    smooth = {person: running_mean(logits[:, 1] - logits[:, 0], 60) > 0 for person, logits in predictions.items()}
    return dict(summary=dict(singlePulse=summary(y, single), meanOf60Pulses=summary(y, smooth)), bestEpochs=best_epochs,
                folds=folds, uarByPerson={person: round(uar(y[person], single[person]), 4) for person in single})


def running_mean(values, count):
    """Over the last `count` values, fewer at the start."""
    sums = np.concatenate([[0], np.cumsum(values)])
    index = np.arange(1, len(values) + 1)
    start = np.maximum(0, index - count)
    return (sums[index] - sums[start]) / (index - start)


def summary(y, predicted):
    """UAR and accuracy over all clips; the interval from resampling people, since clips of one person are not independent."""
    people = sorted(y)
    truth, guess = (np.concatenate([part[person] for person in people]) for part in (y, predicted))
    rng = np.random.default_rng(SEED)
    draws = []
    for _ in range(2000):
        drawn = rng.choice(people, len(people))
        draws.append(uar(np.concatenate([y[p] for p in drawn]), np.concatenate([predicted[p] for p in drawn])))
    low, high = np.percentile(draws, [2.5, 97.5])
    return dict(uar=round(uar(truth, guess), 4), uar95=[round(low, 4), round(high, 4)], chanceUAR=0.5,
                accuracy=round(float((truth == guess).mean()), 4),
                accuracyOfAlwaysNeutral=round(float((truth == 0).mean()), 4),
                recallNeutral=round(float((guess[truth == 0] == 0).mean()), 4),
                recallNegative=round(float((guess[truth == 1] == 1).mean()), 4), clips=len(truth), people=len(people))


# Export

def fold_and_round(network):
    """Batch normalisation folded into the convolutions, a third output for "positive", all weights rounded to float16."""
    weights = []
    layers = list(network.layers)
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.Conv1d):
            norm = layers[index + 1]
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            weights.append((layer.weight * scale[:, None, None], (layer.bias - norm.running_mean) * scale + norm.bias))
        elif isinstance(layer, nn.Linear):
            weights.append((layer.weight, layer.bias))
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


def export(network, clips, settings, metrics, epochs, options):
    weights = fold_and_round(network)
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
    print("rounding to float16 moves logits by at most", np.abs(expected[:, 1:] - full).max(), flush=True)

    card = dict(
        name="pulse", task="pulse", architecture="1-D CNN on single pulses: Conv1d 3-32-64-128-256 (kernel 3, batch norm "
        "folded in, ReLU, max-pool 2), linear 1536-1024-512-256-3", labels=["positive", "neutral", "negative"],
        input=dict(shape=[-1, 3, 128], normalisation=None), settings=settings,
        training=dict(
            data="Stress-Predict (wrist PPG of 28 people), stress = negative, no stress = neutral, no positive",
            licence="MIT", split=f"by person; {FOLDS}-fold for the metrics, {VALIDATION_PEOPLE} people of each fold's training part for "
            "early stopping; the shipped weights are trained on all 28 for the median of the folds' best epochs; the "
            "scaler's two numbers come from all 28",
            seed=SEED, epochs=epochs, command="python Models/training/pulse_train.py --data stress-predict "
            "--node .build/release/rppg-node --work /tmp/pulse --out Models/pulse"),
        metrics=metrics["summary"] | dict(uarByPerson=metrics["uarByPerson"]),
        limits=[
            "Hardly better than chance on people it has not seen: draw no conclusions from its label.",
            "Hears stress or no stress, nothing else: negative stands for stress, neutral for no stress.",
            f"Positive is never claimed: its logit is the constant {POSITIVE_LOGIT:g}.",
            "Trained on contact PPG of the wrist, brought to 30 Hz; not measured on pulse waves from video, where it can only be worse.",
            "Physical effort, illness and medicine change the pulse as stress does.",
        ],
        sha256=hashlib.sha256(content).hexdigest())
    (options.out / "model.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
