"""The default voice network: Whisper tiny's first layers, fine-tuned, with a head for the voice as it is and one for the
voice relative to the person.

Judged by three trainings, each without a third of the speakers of every corpus, and without a whole corpus. So every corpus
is heard once by a network that never met it, and two thirds of the speakers by one that met others of their corpus only.

Beside every clip as it is, half of them are trained on as a viewer's microphone, room and codec would have made them too
(augmentation.py); these copies go through the speech gate like any recording. Nothing is judged on copies.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from . import acoustic_baseline, augmentation, baseline, corpora, features, fine_tuning, metrics, model_folder, voice_card
from .baseline import Baseline, Outputs
from .features import Features
from .fine_tuning import SETTINGS
from .voice_network import VoiceNetwork
from .whisper_encoder import Encoder

FOLDS = 3
COPIED_SHARE = 0.5
TUNED_SHARES = (0.5, 0.75, 1.0)


def fold_of_speaker(data: Features) -> dict[str, int]:
    """Neighbours of a corpus go to different folds, so that each fold holds some of each corpus."""
    folds = {}
    for corpus in sorted(set(data.corpora)):
        speakers = sorted({speaker for speaker in data.speakers if speaker.startswith(corpus + "/")})
        folds |= {speaker: i * FOLDS // len(speakers) for i, speaker in enumerate(speakers)}
    return folds


@dataclass
class Split:
    """One training: whom it must not hear, and the corpus that is left out whole, if any."""

    name: str
    speakers: set[str]
    corpus: str | None

    def unheard_speakers(self, data: Features) -> np.ndarray:
        """The windows of left-out speakers of the other corpora."""
        return np.isin(data.speakers, sorted(self.speakers)) & ~self.unheard_corpus(data)

    def unheard_corpus(self, data: Features) -> np.ndarray:
        return data.corpora == (self.corpus or "")

    def left_out(self, data: Features) -> np.ndarray:
        return self.unheard_speakers(data) | self.unheard_corpus(data)


EVERYTHING = Split("all", set(), None)


def splits(data: Features) -> list[Split]:
    fold_of = fold_of_speaker(data)
    names = sorted(set(data.corpora))
    return [
        Split(f"fold{fold}", {speaker for speaker, f in fold_of.items() if f == fold}, names[fold] if fold < len(names) else None)
        for fold in range(FOLDS)]


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
    """Trains on parts of the data and keeps what it found in a work folder.

    `first` holds the data's embeddings by the encoder as it came; `copies` are trained on beside the data.
    """

    def __init__(self, data: Features, copies: Features, first: np.ndarray, whisper: Path, work: Path, settings: dict, seed: int):
        self.data, self.copies, self.first, self.whisper, self.work, self.settings, self.seed = data, copies, first, whisper, work, settings, seed

    def path(self, name: str) -> Path:
        return self.work / f"voice-{self.settings['steps']}-{self.seed}-{name}"

    def network(self, split: Split, share: float) -> VoiceNetwork:
        """`share`: how much of the way from the start to the end of fine-tuning."""
        path = self.path(f"{split.name}.pt")
        if not path.exists():
            rows = ~split.left_out(self.data)
            ends = fine_tuning.fit(
                self.data.subset(rows), self.copies.subset(~split.left_out(self.copies)), self.first[rows],
                Encoder.pretrained(self.whisper, self.settings["layers"]), self.settings, self.seed, split.name, path.with_suffix(".checkpoint"))
            torch.save([end.state_dict() for end in ends], path)
        ends = [VoiceNetwork(Encoder(self.settings["layers"])) for _ in range(2)]
        for end, state in zip(ends, torch.load(path)):
            end.load_state_dict(state)
        return fine_tuning.between(*ends, share)

    def embeddings(self, network: VoiceNetwork, rows: np.ndarray) -> np.ndarray:
        """Of the training corpora."""
        return self.first[rows] if self.settings["steps"] == 0 else fine_tuning.embeddings(network, self.data.subset(rows))

    def population(self, split: Split, network: VoiceNetwork) -> np.ndarray:
        """From a sample of the windows: each speaker's first 40 in a fixed random order."""
        order = np.random.default_rng(self.seed).permutation(np.flatnonzero(~split.left_out(self.data)))
        speakers = self.data.speakers[order]
        sample = np.concatenate([order[speakers == speaker][:40] for speaker in sorted(set(speakers))])
        _, relative = head_outputs(network, self.embeddings(network, sample))
        return population_mean(self.data.subset(sample), relative)

    def left_out(self, split: Split, share: float) -> Outputs:
        rows = np.flatnonzero(split.left_out(self.data))
        return self.outputs(split, share, self.data.subset(rows), lambda network: self.embeddings(network, rows))

    def test(self, judged: Features, share: float) -> Outputs:
        """By the network that is trained on everything."""
        return self.outputs(EVERYTHING, share, judged, lambda network: fine_tuning.embeddings(network, judged))

    def outputs(self, split: Split, share: float, judged: Features, embed: Callable) -> Outputs:
        path = self.path(f"{split.name}-{share}-outputs.npz")
        if not path.exists():
            network = self.network(split, share)
            plain, relative = head_outputs(network, embed(network))
            np.savez(path, plain=plain, relative=relative, population=self.population(split, network))
        found = np.load(path)
        return Outputs(
            judged, found["plain"], found["relative"], np.tile(found["population"], (len(judged.clips), 1)), np.char.add(f"{split.name}/", judged.speakers))


@dataclass
class Judge:
    """Calibrated figures per clip, without and with the personal baseline of all of a speaker's clips."""

    temperature: float
    bias: np.ndarray
    baseline: Baseline

    def plain(self, outputs: Outputs) -> np.ndarray:
        return outputs.plain / self.temperature + self.bias

    def clips(self, outputs: Outputs) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Probabilities and labels of each clip; without and with the baseline."""
        plain = self.plain(outputs)
        variants = {"plain": plain, "personal": self.baseline.knowing_all(outputs, plain)}
        return {name: features.per_clip(metrics.softmax(logits), outputs.data)[:2] for name, logits in variants.items()}

    def figures(self, outputs: Outputs) -> dict[str, dict]:
        return {name: metrics.evaluate(*clips) for name, clips in self.clips(outputs).items()}

    def by_corpus(self, outputs: Outputs) -> dict[str, dict]:
        return {name: self.figures(outputs.of(outputs.data.corpora == name)) for name in sorted(set(outputs.data.corpora))}


def calibrate(held_out: Outputs, seed: int) -> tuple[Judge, dict]:
    temperature, bias = metrics.best_temperature_and_bias(held_out.plain, held_out.data.labels, baseline.class_weights(held_out.data))
    plain = held_out.plain / temperature + bias
    personal, scenarios = baseline.chosen(held_out, plain, seed)
    return Judge(temperature, bias, personal), scenarios


@dataclass
class Verdict:
    """What networks at one share of the way of fine-tuning are worth on whom they have not met."""

    share: float
    judge: Judge
    scenarios: dict
    figures: dict

    @property
    def score(self) -> float:
        """Mean UAR over speakers and corpora not met, without and with the baseline."""
        return float(np.mean([
            figures["uar"] for by_corpus in self.figures.values() for variants in by_corpus.values() for figures in variants.values()]))


def verdict(laboratory: Laboratory, share: float, seed: int) -> Verdict:
    unseen_speakers, unseen_corpora = [], []
    for split in splits(laboratory.data):
        found = laboratory.left_out(split, share)
        inside_corpus = split.unheard_corpus(found.data)
        unseen_speakers.append(found.of(~inside_corpus))
        if inside_corpus.any():
            unseen_corpora.append(found.of(inside_corpus))
        print(split.name, "done at share", share, flush=True)
    unseen_speakers, unseen_corpora = baseline.joined(unseen_speakers), baseline.joined(unseen_corpora)
    judge, scenarios = calibrate(baseline.joined([unseen_speakers, unseen_corpora]), seed)
    figures = {"unseenSpeakers": judge.by_corpus(unseen_speakers), "unseenCorpora": judge.by_corpus(unseen_corpora), "unseenTestCorpora": {}}
    found = Verdict(share, judge, scenarios, figures)
    print(f"share {share}: score {found.score:.4f}", flush=True)
    return found


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


def training_clips(folders: list[Path]) -> list[corpora.Clip]:
    return [clip for folder in folders for clip in corpora.load(folder) if clip.corpus not in corpora.EVALUATION_ONLY]


def folder_for(clips: list[corpora.Clip], work: Path) -> Path:
    """What was found of other corpora must not be taken for theirs."""
    return work / "-".join(sorted({clip.corpus for clip in clips}))


def opened(clips: list[corpora.Clip], whisper: Path, audio_node: Path, work: Path, settings: dict, seeds: list[int]) -> dict[int, Laboratory]:
    """A laboratory for each seed, on the same features; the first seed's copies. `work` is for these corpora alone."""
    work.mkdir(parents=True, exist_ok=True)
    data = features.compute(audio_node, clips, "log-mel", work / "train-mel.npy")
    first_path = work / f"train-first-embeddings-{SETTINGS['layers']}.npy"
    if not first_path.exists():
        np.save(first_path, fine_tuning.embeddings(VoiceNetwork(Encoder.pretrained(whisper, SETTINGS["layers"])).eval(), data))
    copied = augmentation.copies(clips, work / "copies", COPIED_SHARE, seeds[0])
    copies = features.compute(audio_node, copied, "log-mel", work / "copies-mel.npy")
    return {seed: Laboratory(data, copies, np.load(first_path), whisper, work, settings, seed) for seed in seeds}


def train(train_folders: list[Path], test_folders: list[Path], whisper: Path, audio_node: Path, work: Path, out: Path, seed: int, steps: int | None, yardstick: bool) -> None:
    settings = SETTINGS if steps is None else SETTINGS | {"steps": steps}
    clips = training_clips(train_folders)
    work = folder_for(clips, work)
    laboratory = opened(clips, whisper, audio_node, work, settings, [seed])[seed]
    data = laboratory.data

    verdicts = [verdict(laboratory, share, seed) for share in (TUNED_SHARES if settings["steps"] else (1.0,))]
    best = max(verdicts, key=lambda verdict: verdict.score)
    judge, scenarios, figures = best.judge, best.scenarios, best.figures

    test_clips = [clip for folder in test_folders for clip in corpora.load(folder) if clip.corpus in corpora.EVALUATION_ONLY]
    if test_clips:
        test = features.compute(audio_node, test_clips, "log-mel", folder_for(test_clips, work) / "test-mel.npy")
        figures["unseenTestCorpora"] = judge.by_corpus(laboratory.test(test, best.share))
    for kind, corpora_figures in figures.items():
        for name, found in corpora_figures.items():
            print(kind, name, {variant: (f["uar"], f["ece"]) for variant, f in found.items()}, flush=True)
    print("baseline", judge.baseline, {key: round(value, 4) for key, value in scenarios.items()}, flush=True)
    acoustic = acoustic_baseline.judge(clips, test_clips, splits(data), data, work) if yardstick else None

    network = laboratory.network(EVERYTHING, best.share)
    population = laboratory.population(EVERYTHING, network) / judge.baseline.temperature
    ready_to_ship(network, judge)
    torch.save(network.state_dict(), work / "voice-shipped.pt")
    example = (torch.from_numpy(np.asarray(data.images[:2], dtype=np.float32)), torch.from_numpy(data.weights[:2]))
    model_folder.export(network, example, ["log_mel", "speech_weights"], ["logits", "relative_logits"], out / "model.onnx")
    model_folder.halve_weights(out / "model.onnx")
    losses = {split.name: json.loads(laboratory.path(f"{split.name}.losses.json").read_text()) for split in [EVERYTHING, *splits(data)] if settings["steps"]}
    voice_card.write(out, voice_card.Report(settings, best.share, seed, judge, population, scenarios, figures, acoustic, losses, data))
