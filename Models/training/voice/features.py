"""Features from the serving code: `audio-node features`."""

import json
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from .corpora import Clip


@dataclass
class Features:
    """One row per window with speech, and the clip that each belongs to."""

    images: np.ndarray
    weights: np.ndarray | None
    clips: list[Clip]
    new_speech: np.ndarray
    """The share of each window's speech that is not in the clip's earlier windows."""

    def subset(self, rows: np.ndarray) -> "Features":
        """Some windows, by a mask or by their numbers."""
        numbers = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Features(
            self.images[numbers], None if self.weights is None else self.weights[numbers], [self.clips[i] for i in numbers],
            self.new_speech[numbers])

    @staticmethod
    def joined(parts: list["Features"]) -> "Features":
        weights = None if parts[0].weights is None else np.concatenate([part.weights for part in parts])
        return Features(
            np.concatenate([part.images for part in parts]), weights, [clip for part in parts for clip in part.clips],
            np.concatenate([part.new_speech for part in parts]))

    @cached_property
    def labels(self) -> np.ndarray:
        return np.array([clip.label for clip in self.clips])

    @cached_property
    def speakers(self) -> np.ndarray:
        return np.array([f"{clip.corpus}/{clip.speaker}" for clip in self.clips])

    @cached_property
    def corpora(self) -> np.ndarray:
        return np.array([clip.corpus for clip in self.clips])


def compute(audio_node: Path, clips: list[Clip], kind: str, cache: Path) -> Features:
    """Runs `audio-node features` once; later calls for the same clips read its files."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    index = cache.with_suffix(".jsonl")
    done = cache.with_suffix(".done")
    listing, wanted = cache.with_suffix(".txt"), "".join(f"{clip.path}\n" for clip in clips)
    if not done.exists() or listing.read_text() != wanted:
        done.unlink(missing_ok=True)
        listing.write_text(wanted)
        command = [str(audio_node), "features", "--kind", kind, "--clips", "--half", "--files-from", str(listing), "--out", str(cache)]
        subprocess.run(command, check=True)
        done.touch()
    return read(clips, cache, index)


def read(clips: list[Clip], cache: Path, index: Path) -> Features:
    clip_of_path = {str(clip.path): clip for clip in clips}
    windows = [json.loads(line) for line in index.read_text().splitlines()]
    windows = [window for window in windows if "row" in window and window["file"] in clip_of_path]
    rows = [window["row"] for window in windows]
    images = np.load(cache, mmap_mode="r")[rows]
    weights_path = cache.with_name(cache.stem + "-weights.npy")
    weights = np.load(weights_path)[rows] if weights_path.exists() else None
    return Features(images, weights, [clip_of_path[window["file"]] for window in windows], new_speech(windows))


def new_speech(windows: list[dict]) -> np.ndarray:
    share, until = np.ones(len(windows)), 0.0
    for row, window in enumerate(windows):
        start, end = window["speechStartSeconds"], window["speechEndSeconds"]
        if row == 0 or windows[row - 1]["file"] != window["file"]:
            until = 0.0
        share[row] = min(1.0, max(0.0, end - max(start, until)) / max(end - start, 1e-9))
        until = max(until, end)
    return share


def per_clip(probabilities: np.ndarray, features: Features) -> tuple[np.ndarray, np.ndarray, list[Clip]]:
    """Means over the windows of each clip, as `audio-node classify` gives them; their labels; the clips."""
    clips = list(dict.fromkeys(features.clips))
    position = {clip: i for i, clip in enumerate(clips)}
    sums, counts = np.zeros((len(clips), probabilities.shape[1])), np.zeros(len(clips))
    for row, clip in enumerate(features.clips):
        sums[position[clip]] += probabilities[row]
        counts[position[clip]] += 1
    return sums / counts[:, None], np.array([clip.label for clip in clips]), clips
