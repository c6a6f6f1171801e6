"""Measures what the speech gates of `audio-node` let through, and prints the table of docs/speech-gate.md.

    cd Models
    python -m training.gate --node ../.build/release/audio-node --speech RAVDESS nEMO MORE_SPEECH [--clips-per-corpus 300]

Sounds are made of numbers alone (sounds.py). Of each corpus the same clips are drawn every time; a corpus is what its
clips' names begin with. Needs ffmpeg to mix speech with noise.
"""
import argparse
import collections
import json
import os
import random
import re
import subprocess
import tempfile
import wave

import numpy as np

from . import sounds

GATES = ["energy", "silero", "both"]
SECONDS = 60
PARTS = ["sounds", "clips", "noise"]
SEEDS = (1, 2, 3)


def corpus(path):
    name = os.path.basename(path)
    if re.match(r"\d\d-\d\d-\d\d-", name):
        return "RAVDESS"
    start = name.split("_")[0]
    return start if start in ("EMOVO", "TESS", "TUREV") else "nEMO"


def is_loud(path):
    """Shouted: strong intensity of anger or fear."""
    return re.match(r"\d\d-\d\d-0[56]-02-", os.path.basename(path)) is not None


def write(path, samples):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sounds.RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())


def read(path):
    command = ["ffmpeg", "-v", "error", "-i", path, "-ac", "1", "-ar", str(sounds.RATE), "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.float32).astype(float)


def windows(node, gate, paths, clips=False):
    """For each path, its windows."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(paths))
        file.flush()
        command = [node, "gate", "--gate", gate, "--files-from", file.name] + (["--clips"] if clips else [])
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found = collections.defaultdict(list)
    for line in map(json.loads, lines):
        found[line["file"]].append(line)
    return found


def speech_mask(lines, count):
    """Which of `count` stretches of 10 ms lie in some window's speech."""
    mask = np.zeros(count, bool)
    for line in lines:
        if "speechStartSeconds" in line:
            mask[int(line["speechStartSeconds"] * 100) : int(line["speechEndSeconds"] * 100)] = True
    return mask


def loud(samples):
    """Which stretches of 10 ms of a clean clip are within 26 dB of its loudest."""
    level = np.sqrt(np.mean(samples[: len(samples) // 480 * 480].reshape(-1, 480) ** 2, axis=1))
    return level > 0.05 * level.max()


def speech_in_noise(paths, seed, speech_dbfs=-35, noise_dbfs=-55):
    """A stream of clips with pauses of 1.5 s in white noise, and where speech is."""
    pieces, truth = [], []
    for path in paths:
        clip = read(path)
        mask = loud(clip)
        active = clip[: len(mask) * 480].reshape(-1, 480)[mask]
        gain = 10 ** (speech_dbfs / 20) / np.sqrt(np.mean(active**2))
        pieces += [clip[: len(mask) * 480] * gain, np.zeros(72_000)]
        truth += [mask, np.zeros(150, bool)]
    stream = np.concatenate(pieces)
    noise = np.random.default_rng(seed).standard_normal(len(stream)) * 10 ** (noise_dbfs / 20)
    return stream + noise, np.concatenate(truth)


def filled(truth, pause=30):
    """Pauses of less than 0.3 s belong to the speech."""
    truth = truth.copy()
    edges = np.flatnonzero(truth)
    for a, b in zip(edges, edges[1:]):
        if b - a < pause:
            truth[a:b] = True
    return truth


def row(name, cells):
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def print_header(about, first):
    print(f"\n{about}\n\n| {first} | " + " | ".join(GATES) + " |\n|---|" + "---:|" * len(GATES), flush=True)


def measure_sounds(node, folder):
    print_header(f"Sounds without speech, {SECONDS} s each, {len(SEEDS)} takes: share of the time that is taken for speech (windows of speech).", "sound")
    steady = {
        "silence": lambda seconds, seed: np.zeros(seconds * sounds.RATE),
        "white noise, -60 dBFS": lambda seconds, seed: sounds.at_level(sounds.white(seconds, seed), -60),
        "white noise, -30 dBFS": lambda seconds, seed: sounds.at_level(sounds.white(seconds, seed), -30),
        "pink noise, -40 dBFS": lambda seconds, seed: sounds.at_level(sounds.pink(seconds, seed), -40),
    }
    made = {**sounds.MUSIC, **sounds.OTHER}
    for name in [*steady, *made]:
        paths = []
        for seed in SEEDS:
            samples = steady[name](SECONDS, seed) if name in steady else sounds.at_level(made[name](SECONDS, seed), -25)
            paths.append(f"{folder}/{seed}.wav")
            write(paths[-1], samples)
        cells = []
        for gate in GATES:
            found = windows(node, gate, paths)
            share = np.mean([speech_mask(found[path], SECONDS * 100).mean() for path in paths])
            count = sum("speechStartSeconds" in line for path in paths for line in found[path])
            cells.append(f"{100 * share:.1f} % ({count})")
        row(name, cells)


def measure_clips(node, clips):
    print_header("Share of the clips in which speech is found (as clips cut by hand, where a short word will do).", "clips")
    for name, paths in clips.items():
        cells = []
        for gate in GATES:
            shares = []
            for by_hand in (False, True):
                found = windows(node, gate, paths, by_hand)
                shares.append(np.mean([any("speechStartSeconds" in line for line in found[path]) for path in paths]))
            cells.append(f"{100 * shares[0]:.1f} % ({100 * shares[1]:.1f} %)")
        row(f"{name}, {len(paths)}", cells)


def measure_noise(node, clips, folder):
    print_header("Speech at -35 dBFS in white noise at -55 dBFS: share of its time that is found (of the pauses, taken for speech).", "speech")
    for name, paths in clips.items():
        if name == "TUREV":
            continue  # single words, shorter than the shortest speech
        stream, truth = speech_in_noise(random.Random(0).sample(paths, min(25, len(paths))), seed=5)
        path = f"{folder}/stream.wav"
        write(path, stream)
        spoken = filled(truth)
        cells = []
        for gate in GATES:
            mask = speech_mask(windows(node, gate, [path])[path], len(truth))
            cells.append(f"{100 * mask[spoken].mean():.1f} % ({100 * mask[~spoken].mean():.1f} %)")
        row(name, cells)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node", required=True, help="the program audio-node")
    parser.add_argument("--speech", nargs="*", default=[], help="folders of clips")
    parser.add_argument("--clips-per-corpus", type=int, default=300)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    options = parser.parse_args()

    everything = collections.defaultdict(list)
    for folder in options.speech:
        for base, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                if name.endswith((".flac", ".opus", ".wav")):
                    everything[corpus(name)].append(os.path.join(base, name))
    clips = {c: sorted(random.Random(c).sample(paths, min(options.clips_per_corpus, len(paths)))) for c, paths in everything.items()}
    if "RAVDESS" in clips:
        clips["RAVDESS, anger and fear, strong"] = [path for path in everything["RAVDESS"] if is_loud(path)]

    with tempfile.TemporaryDirectory() as folder:
        if "sounds" in options.parts:
            measure_sounds(options.node, folder)
        if "clips" in options.parts:
            measure_clips(options.node, clips)
        if "noise" in options.parts:
            measure_noise(options.node, clips, folder)


main()
