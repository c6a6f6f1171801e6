"""RAVDESS video speech (Livingstone & Russo 2018), as published or as frames.

A recording is known by its name MM-CC-EE-II-SS-RR-AA: modality (01 picture and sound, 02 picture alone), channel (01 speech), emotion,
intensity, statement, repetition, actor. Published are Video_Speech_Actor_AA/Actor_AA/01-01-EE-II-SS-RR-AA.mp4, and the same
pictures without sound as 02-01-...; frames lie in a folder with the recording's name, or begin with it:
.../01-01-03-01-02-01-05/0012.png or .../01-01-03-01-02-01-05_0012.jpg.
"""

import re
from pathlib import Path

EMOTIONS = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
CLASS_OF_EMOTION = {
    "happy": 0, "surprised": 0, "neutral": 1, "calm": 1, "sad": 2, "angry": 2, "fearful": 2, "disgust": 2}  # fmt: skip
VIDEO_SUFFIXES = {".mp4", ".mkv", ".mov", ".avi", ".flv"}
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm"}
NAME = re.compile(r"(?<![\d-])(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)(?![\d-])")


class Recording:
    """What a name says. `key` is the same for the versions with and without sound."""

    def __init__(self, fields):
        self.modality, self.channel, emotion, *_, actor = fields
        self.key = "-".join(fields[2:])
        self.emotion = EMOTIONS[int(emotion) - 1]
        self.label = CLASS_OF_EMOTION[self.emotion]
        self.actor = f"actor-{actor}"


def recording(path):
    """What the file's name, or the name of a folder above it, says; None for what is no speech video of RAVDESS."""
    for part in reversed(Path(path).parts):
        match = NAME.search(part)
        if match is None:
            continue
        modality, channel, emotion = match.groups()[:3]
        if modality in ("01", "02") and channel == "01" and 1 <= int(emotion) <= len(EMOTIONS):
            return Recording(list(match.groups()))
        return None  # sound alone, or song
    return None


def files(folder, suffixes):
    """(path, recording) of everything of RAVDESS under a folder, in the order of the paths. Of a recording that is there
    with and without sound, the first one."""
    found, version = [], {}
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix.lower() not in suffixes:
            continue
        known = recording(path.relative_to(folder))
        if known is not None and version.setdefault(known.key, known.modality) == known.modality:
            found.append((path, known))
    if not found:
        raise SystemExit(f"{folder}: no RAVDESS speech ({', '.join(sorted(suffixes))} named 01-01-EE-II-SS-RR-AA or 02-01-...)")
    return found


def videos(folder):
    return files(folder, VIDEO_SUFFIXES)


def frames(folder):
    return files(folder, PICTURE_SUFFIXES)
