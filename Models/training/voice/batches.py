"""Training batches: groups of clips of one speaker, balanced by class, as if heard in one recording session."""

from dataclasses import dataclass

import numpy as np
import torch

from . import log_mel_augmentation as augmentation
from .features import Features
from .whisper_encoder import STEPS

EMOTIONS = ("positive/happy", "positive/surprised", "neutral/neutral", "neutral/calm", "negative/sad", "negative/angry", "negative/fearful", "negative/disgust")
SYNONYMS = {"happiness": "happy", "joy": "happy", "surprise": "surprised", "sadness": "sad", "anger": "angry", "fear": "fearful"}
EMOTION_NUMBER = {name.split("/")[1]: i for i, name in enumerate(EMOTIONS)}


def emotion_number(emotion: str) -> int:
    return EMOTION_NUMBER[SYNONYMS.get(emotion, emotion)]


@dataclass
class Batch:
    images: torch.Tensor
    """N x 80 x frames, the speech first."""
    weights: torch.Tensor
    """N x frames / 2."""
    first_step: torch.Tensor
    """Where in the window each clip's speech begins."""
    labels: torch.Tensor
    emotions: torch.Tensor


class Sampler:
    """Draws speakers by corpus (a power of its size), then evenly; classes evenly within a speaker; clips and their windows
    evenly within a class."""

    def __init__(self, data: Features, groups: int = 4, group: int = 12, corpus_power: float = 0.5, longest_steps: int = 96):
        self.data, self.groups, self.group, self.longest_steps = data, groups, group, longest_steps
        self.bounds = speech_bounds(data.weights)
        rows_of: dict = {}
        for row, clip in enumerate(data.clips):
            speaker = rows_of.setdefault(clip.corpus, {}).setdefault(clip.speaker, {})
            speaker.setdefault(clip.label, {}).setdefault(clip.path, []).append(row)
        self.speakers = [(corpus, speaker) for corpus in sorted(rows_of) for speaker in sorted(rows_of[corpus])]
        size = {corpus: sum(clip.corpus == corpus for clip in set(data.clips)) ** corpus_power for corpus in rows_of}
        share = np.array([size[corpus] / len(rows_of[corpus]) for corpus, _ in self.speakers])
        self.share = share / share.sum()
        self.classes = [
            [[list(windows) for windows in clips.values()] for _, clips in sorted(rows_of[corpus][speaker].items())]
            for corpus, speaker in self.speakers]

    def draw(self, generator: np.random.Generator) -> Batch:
        images, starts, rows = [], [], []
        for speaker in generator.choice(len(self.speakers), self.groups, p=self.share):
            session = augmentation.Session.draw(generator)
            # Every class as often as the others, give or take one.
            classes = self.classes[speaker]
            order = generator.permutation(len(classes))
            for i in range(self.group):
                clips = classes[order[i % len(classes)]]
                windows = clips[generator.integers(len(clips))]
                row = windows[generator.integers(len(windows))]
                image = self.utterance(row, session, generator)
                images.append(image)
                steps = image.shape[1] // 2
                natural = self.bounds[row][0]
                starts.append(generator.integers(STEPS - steps + 1) if generator.random() < 0.5 else min(natural, STEPS - steps))
                rows.append(row)
        frames = max(image.shape[1] for image in images)
        padded = np.zeros((len(images), augmentation.BANDS, frames), np.float32)
        weights = np.zeros((len(images), frames // 2), np.float32)
        for i, image in enumerate(images):
            padded[i, :, : image.shape[1]] = image
            weights[i, : image.shape[1] // 2] = 2 / image.shape[1]
        clips = [self.data.clips[row] for row in rows]
        return Batch(
            torch.from_numpy(padded), torch.from_numpy(weights), torch.from_numpy(np.array(starts, dtype=np.int64)),
            torch.tensor([clip.label for clip in clips]), torch.tensor([emotion_number(clip.emotion) for clip in clips]))

    def utterance(self, row: int, session: augmentation.Session, generator: np.random.Generator) -> np.ndarray:
        """The speech of a window (a part of it where it is long), at another pace, in this session."""
        start, end = self.bounds[row]
        start, end = max(0, start + int(generator.integers(-4, 3))), min(STEPS, end + int(generator.integers(-2, 5)))
        longest = self.longest_steps if generator.random() < 0.85 else int(generator.integers(40, self.longest_steps))
        if end - start > longest:
            start = int(generator.integers(start, end - longest + 1))
            end = start + longest
        power = augmentation.to_power(self.data.images[row][:, 2 * start : 2 * end])
        if generator.random() < 0.5:
            steps = int(np.clip(round((end - start) * generator.uniform(0.85, 1.15)), 8, self.longest_steps))
            power = augmentation.utter(power, 2 * steps)
        image = augmentation.to_image(session.apply(power, generator))
        return augmentation.masked(image, generator).astype(np.float32)


def speech_bounds(weights: np.ndarray) -> list[tuple[int, int]]:
    """First step of speech and the one after the last, of each window."""
    speech = weights > 0
    return list(zip(speech.argmax(axis=1).tolist(), (speech.shape[1] - speech[:, ::-1].argmax(axis=1)).tolist()))
