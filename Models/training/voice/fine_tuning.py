"""Fine-tunes the encoder with two heads: one on the embedding, one on the embedding less the mean of its group of clips,
which are one speaker's in one session. Beside the three classes, both learn the eight emotions: more to learn from.

The heads begin as logistic regressions on the encoder as it came (linear probing, then fine-tuning: Kumar et al. 2022,
arXiv:2202.10054, keeps what the encoder knows of other data).
"""

import copy
import json
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from .batches import EMOTIONS, Batch, Sampler, speech_bounds
from .features import Features
from .voice_network import VoiceNetwork
from .whisper_encoder import STEPS, Encoder

SETTINGS = {
    "layers": 2, "steps": 400, "groups": 4, "group": 10, "longestSteps": 80, "encoderRate": 1e-4, "layerDecay": 0.5, "headRate": 2e-4, "weightDecay": 0.05,
    "dropout": 0.3, "labelSmoothing": 0.1, "averaging": 0.99, "corpusPower": 0.5, "emotionShare": 0.5, "plainRegularisation": 0.0001, "relativeRegularisation": 0.0005,
}


class Trainee(nn.Module):
    """The network in training: standardised embeddings (of the encoder as it came), heads for classes and for emotions."""

    def __init__(self, encoder: Encoder, settings: dict):
        super().__init__()
        self.network = VoiceNetwork(encoder)
        size = self.network.embedding
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))
        self.dropout = nn.Dropout(settings["dropout"])
        self.plain, self.relative = nn.Linear(size, 3 + len(EMOTIONS)), nn.Linear(size, 3 + len(EMOTIONS))
        self.group = settings["group"]

    @torch.no_grad()
    def probe(self, data: Features, embeddings: np.ndarray, settings: dict) -> None:
        """The heads that are best without any fine-tuning, from the embeddings of the encoder as it came."""
        weights = balanced_weights(data, settings["corpusPower"])
        self.mean.copy_(torch.from_numpy(np.average(embeddings, axis=0, weights=weights)))
        self.deviation.copy_(torch.from_numpy(embeddings.std(axis=0) + 1e-4))
        standard = (embeddings - self.mean.numpy()) / self.deviation.numpy()
        centred = standard.copy()
        for speaker in set(data.speakers):
            rows = data.speakers == speaker
            centred[rows] -= np.average(standard[rows], axis=0, weights=weights[rows])
        for head, inputs, strength in (
            (self.plain, standard, settings["plainRegularisation"]), (self.relative, centred, settings["relativeRegularisation"])
        ):
            regression = LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(inputs, data.labels, sample_weight=weights)
            head.weight.zero_()  # the emotions are learnt from nothing
            head.bias.zero_()
            head.weight[:3] = torch.from_numpy(regression.coef_.astype(np.float32))
            head.bias[:3] = torch.from_numpy(regression.intercept_.astype(np.float32))

    def states(self, batch: Batch) -> torch.Tensor:
        encoder = self.network.encoder
        with torch.no_grad():
            x = encoder.convolve(batch.images)
            positions = batch.first_step[:, None] + torch.arange(x.shape[1])
            x = x + encoder.positions[positions.clamp_max(STEPS - 1)]
        return encoder.attend(x, batch.weights)

    def embed(self, batch: Batch) -> torch.Tensor:
        return self.network.pool(self.states(batch), batch.weights)

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        embedding = (self.embed(batch) - self.mean) / self.deviation
        groups = embedding.view(-1, self.group, embedding.shape[1])
        relative = (groups - groups.mean(dim=1, keepdim=True)).view_as(embedding)
        return self.plain(self.dropout(embedding)), self.relative(self.dropout(relative))

    @torch.no_grad()
    def folded(self) -> VoiceNetwork:
        """The network as it is served: heads of the three classes, on raw embeddings."""
        network = self.network
        for source, head in ((self.plain, network.head), (self.relative, network.relative_head)):
            head.weight.copy_(source.weight[:3] / self.deviation)
        network.head.bias.copy_(self.plain.bias[:3] - network.head.weight @ self.mean)
        return network


def balanced_weights(data: Features, corpus_power: float) -> np.ndarray:
    """Each clip counts once, then classes and speakers evenly within a corpus; corpora by a power of their size."""
    _, clip_of_row, windows_of_clip = np.unique([str(clip.path) for clip in data.clips], return_inverse=True, return_counts=True)
    weights = 1 / windows_of_clip[clip_of_row]
    corpora, speakers = data.corpora, data.speakers
    classes = np.array([f"{corpus} {label}" for corpus, label in zip(corpora, data.labels)])
    for corpus in set(corpora):
        inside = corpora == corpus
        total = weights[inside].sum() ** corpus_power
        for groups in [classes, speakers] * 20:  # iterative proportional fitting
            names, group_of_row = np.unique(groups[inside], return_inverse=True)
            weights[inside] *= (total / len(names) / np.bincount(group_of_row, weights[inside]))[group_of_row]
    return weights / weights.mean()


def parameter_groups(trainee: Trainee, settings: dict) -> list[dict]:
    """Earlier layers learn slower; the convolutions stay as they are."""
    layers = trainee.network.encoder.layers
    groups = [
        {"params": list(layer.parameters()), "lr": settings["encoderRate"] * settings["layerDecay"] ** (len(layers) - 1 - i)}
        for i, layer in enumerate(layers)]
    heads = [trainee.network.pool, trainee.plain, trainee.relative]
    return groups + [{"params": [p for head in heads for p in head.parameters()], "lr": settings["headRate"]}]


def loss_of(trainee: Trainee, batch: Batch, settings: dict) -> torch.Tensor:
    def entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(logits, target, label_smoothing=settings["labelSmoothing"])

    return sum(
        entropy(logits[:, :3], batch.labels) + settings["emotionShare"] * entropy(logits[:, 3:], batch.emotions)
        for logits in trainee(batch))


def fit(
    data: Features, copies: Features, first: np.ndarray, encoder: Encoder, settings: dict, seed: int, name: str, checkpoint: Path
) -> tuple[VoiceNetwork, VoiceNetwork]:
    """The network before and after a fixed number of steps, gone on with from the checkpoint if there is one; the weights are a
    running mean. The losses of every 50 steps are left beside the checkpoint.

    `first` holds the embeddings of the data (without the copies) by the encoder as it came.
    """
    torch.manual_seed(seed)
    trainee = Trainee(encoder, settings)
    trainee.network.encoder.conv1.requires_grad_(False)
    trainee.network.encoder.conv2.requires_grad_(False)
    sampler = Sampler(Features.joined([data, copies]), settings["groups"], settings["group"], settings["corpusPower"], settings["longestSteps"])
    trainee.probe(data, first, settings)
    groups = parameter_groups(trainee, settings)
    optimizer = torch.optim.AdamW(groups, weight_decay=settings["weightDecay"])
    steps = settings["steps"]
    start = copy.deepcopy(trainee).eval().folded()
    if steps == 0:
        return start, start
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=steps, pct_start=0.15, div_factor=10, final_div_factor=30)
    average = torch.optim.swa_utils.AveragedModel(trainee, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings["averaging"]))
    done, losses = 0, []
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=False)
        for part, key in ((trainee, "trainee"), (average, "average"), (optimizer, "optimizer"), (schedule, "schedule")):
            part.load_state_dict(state[key])
        torch.set_rng_state(state["torch"])
        done, losses = state["step"], state["losses"]
    started, total = time.monotonic(), 0.0
    for step in range(done, steps):
        # What is drawn follows from the seed and the step, so that a stopped training goes on as if it had not been.
        batch = sampler.draw(np.random.default_rng([seed, 1, step]))
        trainee.train()
        optimizer.zero_grad()
        loss = loss_of(trainee, batch, settings)
        loss.backward()
        nn.utils.clip_grad_norm_(trainee.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(trainee)
        total += float(loss.detach())
        if (step + 1) % 50 == 0 or step + 1 == steps:
            losses.append(round(total / (step % 50 + 1), 4))
            print(f"{name}: step {step + 1} of {steps}, loss {losses[-1]:.3f}, {time.monotonic() - started:.0f} s", flush=True)
            total = 0.0
        if (step + 1) % 100 == 0 or step + 1 == steps:
            temporary = checkpoint.with_suffix(".part")
            torch.save({
                "trainee": trainee.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(), "torch": torch.get_rng_state(), "step": step + 1, "losses": losses}, temporary)
            temporary.rename(checkpoint)
    checkpoint.with_suffix(".losses.json").write_text(json.dumps(losses) + "\n")
    return start, average.module.eval().folded()


@torch.no_grad()
def between(start: VoiceNetwork, tuned: VoiceNetwork, share: float) -> VoiceNetwork:
    """Weights between the network as it began (share 0) and as it was fine-tuned (1): what is in between keeps more of what the
    encoder knew of other data (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903)."""
    mixed = copy.deepcopy(start)
    for value, end in zip(mixed.state_dict().values(), tuned.state_dict().values()):
        value.lerp_(end, share)
    return mixed.eval()


@torch.no_grad()
def embeddings(network: VoiceNetwork, data: Features, batch: int = 32) -> np.ndarray:
    """Of every window, as served: computed on the speech alone, which the network's masks make equal."""
    bounds = np.array(speech_bounds(data.weights))
    lengths = bounds[:, 1] - bounds[:, 0]
    result = np.zeros((len(lengths), network.embedding), np.float32)
    order = np.argsort(lengths, kind="stable")
    for rows in np.split(order, range(batch, len(order), batch)):
        steps = np.minimum(bounds[rows, :1] + np.arange(lengths[rows].max()), STEPS - 1)
        weights = np.take_along_axis(data.weights[rows], steps, axis=1) * (np.arange(steps.shape[1]) < lengths[rows, None])
        images = torch.from_numpy(np.asarray(data.images[rows], dtype=np.float32))
        states = network.encoder.convolve(images) + network.encoder.positions
        states = torch.gather(states, 1, torch.from_numpy(steps)[..., None].expand(-1, -1, states.shape[2]))
        states = network.encoder.attend(states, torch.from_numpy(weights))
        result[rows] = network.pool(states, torch.from_numpy(weights)).numpy()
    return result
