"""The default network's recipe by the protocols that others report on RAVDESS: 5 folds of unseen actors, and the original system's random
split of the clips, each with several seeds. Trained on RAVDESS alone, or on other corpora beside it.

Nothing is chosen on those who are judged: temperature, bias and baseline of a fold come from the other folds' left-out actors, those of the
random split from its validation clips.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import baseline, corpora, metrics, original_recipe
from .baseline import Outputs
from .features import Features
from .fine_tuning import SETTINGS
from .train_voice import Judge, Laboratory, Split, calibrate, folder_for, opened, training_clips

FOLDS = 5
CORPUS = "RAVDESS"
FIGURES = {"accuracy": "accuracy", "uar": "UAR", "precision": "precision", "f1": "F1", "auroc": "AUROC", "ece": "ECE"}
TITLES = {"unseenActors": "5 folds of unseen actors", "randomClips": "random 80/10/10 of the clips (the original system's)"}
SECTION = "## RAVDESS as others report it"


def actor_folds(data: Features) -> list[Split]:
    """Each leaves out a fifth of the actors, neighbours by number."""
    actors = sorted({speaker for speaker in data.speakers if speaker.startswith(CORPUS + "/")})
    folds = np.arange(len(actors)) * FOLDS // len(actors)
    return [Split(f"actors{fold}", {actor for actor, f in zip(actors, folds) if f == fold}, None) for fold in range(FOLDS)]


@dataclass
class ClipSplit(Split):
    """Leaves out clips, whoever speaks in them, and their changed copies."""

    stems: set[str]

    def left_out(self, data: Features) -> np.ndarray:
        return np.array([clip.path.stem.removeprefix(f"{CORPUS}-") in self.stems for clip in data.clips], dtype=bool)


Judged = list[tuple[Judge, Outputs]]


def by_actors(laboratory: Laboratory, share: float, seed: int) -> Judged:
    outputs = [laboratory.left_out(split, share) for split in actor_folds(laboratory.data)]
    return [(calibrate(baseline.joined(outputs[:fold] + outputs[fold + 1 :]), seed)[0], judged) for fold, judged in enumerate(outputs)]


def by_random_clips(laboratory: Laboratory, share: float, seed: int) -> Judged:
    clips = sorted({clip for clip in laboratory.data.clips if clip.corpus == CORPUS}, key=lambda clip: clip.path)
    _, validation, test = original_recipe.split(np.array([clip.label for clip in clips]), seed)
    stems = [{clips[i].path.stem for i in part} for part in (validation, test)]
    found = laboratory.left_out(ClipSplit("clips", set(), None, stems[0] | stems[1]), share)
    inside = [found.of(np.array([clip.path.stem in part for clip in found.data.clips])) for part in stems]
    return [(calibrate(inside[0], seed)[0], inside[1])]


def figures(judged: Judged) -> dict[str, dict]:
    """Over all clips; without and with the personal baseline."""
    clips = [judge.clips(outputs) for judge, outputs in judged]
    return {name: metrics.evaluate(*(np.concatenate(part) for part in zip(*(found[name] for found in clips)))) for name in ("plain", "personal")}


def evaluate(train_folders: list[Path], whisper: Path, audio_node: Path, work: Path, steps: int, share: float, seeds: int, folder: Path) -> None:
    """Adds the figures to the card of the model folder."""
    clips: list[corpora.Clip] = training_clips(train_folders)
    laboratories = opened(clips, whisper, audio_node, folder_for(clips, work), SETTINGS | {"steps": steps}, list(range(1, seeds + 1)))
    protocols: dict[str, Callable[[Laboratory, float, int], Judged]] = {"randomClips": by_random_clips, "unseenActors": by_actors}
    result: dict[str, dict] = {}
    for protocol, judged in protocols.items():
        by_seed = {seed: figures(judged(laboratory, share, seed)) for seed, laboratory in laboratories.items()}
        result[protocol] = {"seeds": by_seed}
        for variant in ("plain", "personal"):
            spread = {name: [found[variant][name] for found in by_seed.values()] for name in FIGURES}
            result[protocol][variant] = {
                name: {"mean": round(float(np.mean(values)), 4), "least": min(values), "most": max(values)} for name, values in spread.items()}
            print(protocol, variant, json.dumps(result[protocol][variant]), flush=True)
    corpora_trained = ", ".join(sorted({clip.corpus for clip in clips}))
    card_path, page = folder / "model.json", folder / "README.md"
    card = json.loads(card_path.read_text())
    card["metrics"]["ravdessProtocols"] = result | {"trainedOn": corpora_trained, "steps": steps, "tunedShare": share}
    card_path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    before, *after = re.split(r"(?=^## In 8 bits)", re.sub(rf"^{SECTION}\n.*?(?=^## |\Z)", "", page.read_text(), flags=re.M | re.S), flags=re.M)
    page.write_text(before.rstrip() + "\n\n" + section(result, corpora_trained, steps, share, seeds) + "".join("\n" + part for part in after))


def section(result: dict, corpora_trained: str, steps: int, share: float, seeds: int) -> str:
    rows = "".join(
        f"| {TITLES[protocol]}{', with the baseline' if variant == 'personal' else ''} | "
        + " | ".join(f"{found[variant][name]['mean']:.3f} ({found[variant][name]['least']:.3f}-{found[variant][name]['most']:.3f})" for name in FIGURES) + " |\n"
        for protocol, found in result.items() for variant in ("plain", "personal"))
    return f"""{SECTION}

The recipe, not the shipped weights: trained on {corpora_trained} alone, {steps} steps, {share:.0%} of the way, {seeds} seeds; mean (least-most). Temperature, bias and baseline of a
fold come from the other folds' left-out actors, those of the random split from its validation clips.

| protocol | {' | '.join(FIGURES.values())} |
| --- |{' --- |' * len(FIGURES)}
{rows}
Made by, in `Models/`: `python -m training.voice ravdess --train RAVDESS --whisper WHEEL`.
"""
