"""The default voice network: Whisper tiny's first layers, fine-tuned, with a head for the voice as it is and one for the
voice relative to the person.

Judged by five trainings, each without a fifth of the speakers of every corpus; the first of them also lack a whole corpus
each. So every corpus is heard once by a network that never met it, and most speakers by one that never met them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from . import acoustic_baseline, baseline, corpora, features, fine_tuning, metrics, model_folder, voice_card
from .baseline import Baseline, Outputs
from .features import Features
from .fine_tuning import SETTINGS
from .voice_network import VoiceNetwork
from .whisper_encoder import Encoder

FOLDS = 5


def fold_of_speaker(data: Features) -> dict[str, int]:
    """Neighbours of a corpus go to different folds, so that each fold holds some of each corpus."""
    folds = {}
    for corpus in sorted(set(data.corpora)):
        speakers = sorted({speaker for speaker in data.speakers if speaker.startswith(corpus + "/")})
        folds |= {speaker: i * FOLDS // len(speakers) for i, speaker in enumerate(speakers)}
    return folds


@dataclass
class Split:
    """One training: the windows that it must not hear, of unseen speakers and of a corpus left out."""

    name: str
    speakers: np.ndarray
    corpus: np.ndarray

    @property
    def left_out(self) -> np.ndarray:
        return self.speakers | self.corpus


def splits(data: Features) -> list[Split]:
    fold_of = fold_of_speaker(data)
    folds = np.array([fold_of[speaker] for speaker in data.speakers])
    names = sorted(set(data.corpora))[:FOLDS]
    result = []
    for fold in range(FOLDS):
        corpus = data.corpora == names[fold] if fold < len(names) else np.zeros(len(folds), bool)
        result.append(Split(f"fold{fold}", (folds == fold) & ~corpus, corpus))
    return result


def population_mean(data: Features, relative: np.ndarray) -> np.ndarray:
    """The mean of relative logits, speakers counting the same within a corpus, and corpora the same."""
    means = []
    for corpus in sorted(set(data.corpora)):
        speakers = sorted(set(data.speakers[data.corpora == corpus]))
        means.append(np.mean([relative[data.speakers == speaker].mean(axis=0) for speaker in speakers], axis=0))
    return np.mean(means, axis=0)


@torch.no_grad()
def head_outputs(network: VoiceNetwork, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inputs = torch.from_numpy(embeddings)
    return network.head(inputs).numpy().astype(float), network.relative_head(inputs).numpy().astype(float)


class Laboratory:
    """Trains on parts of the data and keeps what it found in a work folder."""

    def __init__(self, data: Features, first: np.ndarray, whisper: Path, work: Path, settings: dict, seed: int):
        self.data, self.first, self.whisper, self.work, self.settings, self.seed = data, first, whisper, work, settings, seed

    def path(self, name: str) -> Path:
        return self.work / f"voice-{self.settings['steps']}-{self.seed}-{name}"

    def network(self, name: str, rows: np.ndarray) -> VoiceNetwork:
        path = self.path(f"{name}.pt")
        encoder = Encoder.pretrained(self.whisper, self.settings["layers"])
        if path.exists():
            network = VoiceNetwork(encoder)
            network.load_state_dict(torch.load(path))
            return network.eval()
        network = fine_tuning.fit(
            self.data.subset(rows), self.first[rows], encoder, self.settings, self.seed, name, path.with_suffix(".checkpoint"))
        torch.save(network.state_dict(), path)
        return network

    def embeddings(self, network: VoiceNetwork, rows: np.ndarray) -> np.ndarray:
        """Of the training corpora."""
        return self.first[rows] if self.settings["steps"] == 0 else fine_tuning.embeddings(network, self.data.subset(rows))

    def population(self, name: str, network: VoiceNetwork, trained_on: np.ndarray) -> np.ndarray:
        """From a sample of the windows: each speaker's first 40 in a fixed random order."""
        path = self.path(f"{name}-population.npy")
        if not path.exists():
            order = np.random.default_rng(self.seed).permutation(np.flatnonzero(trained_on))
            speakers = self.data.speakers[order]
            sample = np.concatenate([order[speakers == speaker][:40] for speaker in sorted(set(speakers))])
            _, relative = head_outputs(network, self.embeddings(network, sample))
            np.save(path, population_mean(self.data.subset(sample), relative))
        return np.load(path)

    def left_out(self, split: Split) -> Outputs:
        rows = np.flatnonzero(split.left_out)
        return self.outputs(split.name, ~split.left_out, self.data.subset(rows), lambda network: self.embeddings(network, rows))

    def test(self, judged: Features) -> Outputs:
        """By the network that is trained on everything."""
        everything = np.ones(len(self.data.clips), bool)
        return self.outputs("all", everything, judged, lambda network: fine_tuning.embeddings(network, judged))

    def outputs(self, name: str, trained_on: np.ndarray, judged: Features, embed: Callable) -> Outputs:
        path = self.path(f"{name}-outputs.npz")
        if not path.exists():
            network = self.network(name, trained_on)
            plain, relative = head_outputs(network, embed(network))
            np.savez(path, plain=plain, relative=relative, population=self.population(name, network, trained_on))
        found = np.load(path)
        return Outputs(judged, found["plain"], found["relative"], np.tile(found["population"], (len(judged.clips), 1)), np.char.add(f"{name}/", judged.speakers))


@dataclass
class Judge:
    """Calibrated figures per clip, without and with the personal baseline of all of a speaker's clips."""

    temperature: float
    bias: np.ndarray
    baseline: Baseline

    def plain(self, outputs: Outputs) -> np.ndarray:
        return outputs.plain / self.temperature + self.bias

    def figures(self, outputs: Outputs) -> dict[str, dict]:
        plain = self.plain(outputs)
        result = {}
        for name, logits in (("plain", plain), ("personal", self.baseline.knowing_all(outputs, plain))):
            probabilities, labels, _ = features.per_clip(metrics.softmax(logits), outputs.data)
            result[name] = metrics.evaluate(probabilities, labels)
        return result

    def by_corpus(self, outputs: Outputs) -> dict[str, dict]:
        return {name: self.figures(outputs.of(outputs.data.corpora == name)) for name in sorted(set(outputs.data.corpora))}


def calibrate(held_out: Outputs, seed: int) -> tuple[Judge, dict]:
    temperature, bias = metrics.best_temperature_and_bias(held_out.plain, held_out.data.labels, baseline.class_weights(held_out.data))
    plain = held_out.plain / temperature + bias
    personal, scenarios = baseline.chosen(held_out, plain, seed)
    return Judge(temperature, bias, personal), scenarios


def ready_to_ship(network: VoiceNetwork, judge: Judge) -> VoiceNetwork:
    """Temperatures and the bias go into the heads; large weights are rounded to the type that they are stored in."""
    with torch.no_grad():
        network.head.weight /= judge.temperature
        network.head.bias /= judge.temperature
        network.head.bias += torch.from_numpy(judge.bias)
        network.relative_head.weight /= judge.baseline.temperature
        for weights in network.state_dict().values():
            if weights.numel() >= model_folder.LEAST_HALVED_VALUES:
                weights.copy_(weights.half())
    return network


def train(train_folders: list[Path], test_folders: list[Path], whisper: Path, audio_node: Path, work: Path, out: Path, seed: int, steps: int | None, yardstick: bool) -> None:
    work.mkdir(parents=True, exist_ok=True)
    settings = SETTINGS if steps is None else SETTINGS | {"steps": steps}
    clips = [clip for folder in train_folders for clip in corpora.load(folder) if clip.corpus not in corpora.EVALUATION_ONLY]
    data = features.compute(audio_node, clips, "log-mel", work / "train-mel.npy")
    first_path = work / f"train-first-embeddings-{SETTINGS['layers']}.npy"
    if not first_path.exists():
        np.save(first_path, fine_tuning.embeddings(VoiceNetwork(Encoder.pretrained(whisper, SETTINGS["layers"])).eval(), data))
    laboratory = Laboratory(data, np.load(first_path), whisper, work, settings, seed)

    unseen_speakers, unseen_corpora = [], []
    for split in splits(data):
        found = laboratory.left_out(split)
        inside_corpus = split.corpus[split.left_out]
        unseen_speakers.append(found.of(~inside_corpus))
        if inside_corpus.any():
            unseen_corpora.append(found.of(inside_corpus))
        print(split.name, "done", flush=True)
    unseen_speakers, unseen_corpora = baseline.joined(unseen_speakers), baseline.joined(unseen_corpora)
    judge, scenarios = calibrate(baseline.joined([unseen_speakers, unseen_corpora]), seed)
    figures = {"unseenSpeakers": judge.by_corpus(unseen_speakers), "unseenCorpora": judge.by_corpus(unseen_corpora), "unseenTestCorpora": {}}

    test_clips = [clip for folder in test_folders for clip in corpora.load(folder) if clip.corpus in corpora.EVALUATION_ONLY]
    if test_clips:
        test = features.compute(audio_node, test_clips, "log-mel", work / "test-mel.npy")
        figures["unseenTestCorpora"] = judge.by_corpus(laboratory.test(test))
    for kind, corpora_figures in figures.items():
        for name, found in corpora_figures.items():
            print(kind, name, {variant: (f["uar"], f["ece"]) for variant, f in found.items()}, flush=True)
    print("baseline", judge.baseline, {key: round(value, 4) for key, value in scenarios.items()}, flush=True)
    acoustic = acoustic_baseline.judge(clips, test_clips, splits(data), data, work) if yardstick else None

    everything = np.ones(len(data.clips), bool)
    network = laboratory.network("all", everything)
    population = laboratory.population("all", network, everything) / judge.baseline.temperature
    ready_to_ship(network, judge)
    torch.save(network.state_dict(), work / "voice-shipped.pt")
    example = (torch.from_numpy(np.asarray(data.images[:2], dtype=np.float32)), torch.from_numpy(data.weights[:2]))
    model_folder.export(network, example, ["log_mel", "speech_weights"], ["logits", "relative_logits"], out / "model.onnx")
    model_folder.halve_weights(out / "model.onnx")
    voice_card.write(out, voice_card.Report(settings, seed, judge, population, scenarios, figures, acoustic, data))
