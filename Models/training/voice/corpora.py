"""The speech corpora: which clips there are, who speaks, and which of the three classes they show.

Each loader takes the corpus' folder and knows the corpus by its file names:

RAVDESS  03-01-EE-II-SS-RR-AA.flac or .wav (as published: modality 03, channel 01; actor AA)
nEMO     SPEAKER_EMOTION_N.*
others   CORPUS_SPEAKER_EMOTION_N.* (EMOVO, TESS, TUREV)
"""

from dataclasses import dataclass
from pathlib import Path

LABELS = ("positive", "neutral", "negative")
POSITIVE, NEUTRAL, NEGATIVE = range(3)

CLASS_OF_EMOTION = {
    "happy": POSITIVE, "happiness": POSITIVE, "joy": POSITIVE, "surprise": POSITIVE, "surprised": POSITIVE,
    "neutral": NEUTRAL, "calm": NEUTRAL,
    "sad": NEGATIVE, "sadness": NEGATIVE, "anger": NEGATIVE, "angry": NEGATIVE, "fear": NEGATIVE,
    "fearful": NEGATIVE, "disgust": NEGATIVE,
}
# Their licences forbid derivatives: nothing that is shipped may be trained with them.
EVALUATION_ONLY = {"TESS", "TUREV"}
RAVDESS_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
AUDIO_SUFFIXES = {".wav", ".flac", ".opus", ".ogg", ".mp3", ".m4a"}


@dataclass(frozen=True)
class Clip:
    path: Path
    corpus: str
    speaker: str
    emotion: str

    @property
    def label(self) -> int:
        return CLASS_OF_EMOTION[self.emotion]


def load(folder: Path) -> list[Clip]:
    """All clips under a folder, in the order of their paths."""
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES)
    clips = [clip for path in paths if (clip := parse(path)) is not None]
    if not clips:
        raise SystemExit(f"no clips of a known corpus in {folder}")
    return clips


def parse(path: Path) -> Clip | None:
    """What the name of a file says; None for one that is not emotional speech."""
    fields = path.stem.split("-")
    if len(fields) == 7 and all(field.isdigit() for field in fields):
        if fields[1] != "01" or not 1 <= int(fields[2]) <= len(RAVDESS_EMOTIONS):
            return None  # song, or no such emotion
        return Clip(path, "RAVDESS", f"actor-{fields[6]}", RAVDESS_EMOTIONS[int(fields[2]) - 1])
    fields = path.stem.split("_")
    if len(fields) == 3:
        fields = ["NEMO", *fields]
    if len(fields) != 4 or fields[2].lower() not in CLASS_OF_EMOTION:
        return None
    return Clip(path, fields[0].upper(), fields[1], fields[2].lower())
