"""Trains DeepPhys on semi-synthetic pulses, and exports it.

    python -m training.pulse_deepphys --web-faces web-faces --waves stress-predict --out pulse-deepphys

--web-faces  pictures of faces, 128 x 128 grey (labels.csv is not read); every tenth is kept for validation
--side       36 or 72: of the network's pictures, pixels
--waves      Stress-Predict; people with an odd number, the last three for validation (those with an even one are for evaluation)

A face gets a skin tone, a coloured background, small movements, light that changes, noise of the camera and of a codec, and the contact
wave of a person in its skin, at the relative strengths 0.33, 0.77, 0.53 for R, G, B (de Haan and van Leest 2014). The wave is the truth.
"""

import argparse
import pathlib
import time

import cv2
import numpy as np
import torch
from scipy import signal
from torch.nn import functional as F

from .pulse_networks import folder
from .pulse_networks.shifted_2d import DeepPhys
from .voice import model_folder

SEED = 20261123
RATE_HZ = 30
# Faces are kept a little larger than the network's pictures, so that they can move.
SOURCE_SIDES = {36: 48, 72: 96}
STRENGTHS = np.array([0.33, 0.77, 0.53], np.float32) / 0.77
STEPS = 1500
SEQUENCES = 8
LEARNING_RATE = 1e-3
VALIDATION_WAVES = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("web-faces", "waves", "out"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--side", type=int, default=36, choices=SOURCE_SIDES, help="of the network's pictures, pixels")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    faces = load_faces(options.web_faces, SOURCE_SIDES[options.side])
    waves = load_waves(options.waves)
    training = Scenes([face for number, face in enumerate(faces) if number % 10], waves[:-VALIDATION_WAVES], options.side, np.random.default_rng(SEED))
    validation = Scenes(faces[::10], waves[-VALIDATION_WAVES:], options.side, np.random.default_rng(SEED + 1))
    held_out = [validation.draw() for _ in range(60)]

    network = DeepPhys(options.side)
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=options.steps, pct_start=0.1)
    started, recent = time.monotonic(), []
    for step in range(options.steps):
        network.train()
        losses = []
        for _ in range(SEQUENCES):
            pictures, truth = training.draw()
            loss = 1 - correlation(network.derivative(pictures)[:, 0], truth)
            (loss / SEQUENCES).backward()
            losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
        recent.append(np.mean(losses))
        if step % 50 == 49:
            print(f"step {step + 1}, {time.monotonic() - started:.0f} s: training correlation {1 - np.mean(recent[-50:]):.3f}, "
                  f"validation {validate(network, held_out):.3f}", flush=True)
    finish(network, validate(network, held_out), options)


def correlation(a, b):
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm() + 1e-8)


def validate(network, scenes):
    network.eval()
    with torch.no_grad():
        return float(np.mean([correlation(network(pictures)[:, 0], truth).item() for pictures, truth in scenes]))


# Scenes

def load_faces(folder_path, side):
    paths = sorted(path for path in folder_path.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    faces = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    faces = [cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for face in faces if face is not None]
    if len(faces) < 10:
        raise SystemExit(f"{folder_path}: holds no pictures of faces")
    return faces


def load_waves(folder_path):
    """Of each person with an odd number, band-passed, at RATE_HZ."""
    waves = []
    for path in sorted(folder_path.glob("S*.npz")):
        if int(path.stem[1:]) % 2 == 0:
            continue
        recording = np.load(path)
        rate = float(recording["fs_hz"])
        band = signal.butter(3, [0.6, 6], "bandpass", fs=rate, output="sos")
        wave = signal.sosfiltfilt(band, recording["bvp"] * float(recording["bvp_scale"]))
        waves.append(signal.resample_poly(wave, RATE_HZ, round(rate)))
    if len(waves) <= VALIDATION_WAVES:
        raise SystemExit(f"{folder_path}: holds no waves of enough people")
    return waves


class Scenes:
    """Draws a second of a face, and the steps of its wave."""

    def __init__(self, faces, waves, side, rng):
        self.faces, self.waves, self.side, self.rng = faces, waves, side, rng
        size = faces[0].shape[0]
        y, x = np.mgrid[0:size, 0:size] / size - 0.5
        # Mouth, and eyes: what moves in a face at rest.
        self.lively = [np.exp(-(((x - cx) / 0.12) ** 2 + ((y - cy) / 0.07) ** 2)).astype(np.float32)[..., None]
                       for cx, cy in [(0, 0.27), (-0.18, -0.12), (0.18, -0.12)]]
        self.oval = cv2.blur(((x / 0.36) ** 2 + ((y - 0.02) / 0.46) ** 2 < 1).astype(np.float32), (3, 3))

    def draw(self):
        rng = self.rng
        frames = DeepPhys.frames
        wave = self.segment(frames)
        face = self.faces[rng.integers(len(self.faces))].astype(np.float32)[..., None]
        if rng.random() < 0.5:
            face = face[:, ::-1]
        skin = np.array([1, rng.uniform(0.68, 0.85), rng.uniform(0.5, 0.75)], np.float32) * rng.uniform(0.5, 1.25)
        around = rng.uniform(0.3, 1.1, 3).astype(np.float32)
        oval = self.oval[..., None]
        # Eyes, brows and beard are darker than skin, and hardly beat.
        beats = oval * np.clip((face - 50) / 60, 0, 1)
        still = face * (oval * skin + (1 - oval) * around) + 10
        strength = rng.uniform(0.004, 0.016)
        t = np.arange(frames) / RATE_HZ
        light = 1 + rng.uniform(0, 0.03) * np.sin(2 * np.pi * rng.uniform(0.1, 1) * t + rng.uniform(0, 6.3))
        blood = still * beats * STRENGTHS
        pictures = np.stack([(still - strength * depth * blood) * bright for depth, bright in zip(wave, light)])
        if rng.random() < 0.5:  # speech, a smile, a blink
            for place in self.lively:
                gesture = rng.uniform(0, 0.15) * signal.lfilter([0.2], [1, -0.8], rng.standard_normal(frames))
                pictures *= 1 + gesture[:, None, None, None] * place
        moved = self.moved(torch.from_numpy(np.ascontiguousarray(pictures, np.float32)).permute(0, 3, 1, 2))
        noise = rng.uniform(0.1, 0.6) * rng.standard_normal(moved.shape, np.float32)
        coarse = torch.from_numpy(rng.uniform(0, 0.5) * rng.standard_normal((frames, 3, 9, 9), np.float32))
        moved = moved + torch.from_numpy(noise) + F.interpolate(coarse, size=(self.side, self.side), mode="bilinear", align_corners=False)
        # The pictures that the node makes are of bytes too.
        pictures = moved.clamp(0, 255).round().permute(0, 2, 3, 1)
        return pictures, torch.from_numpy(np.diff(wave).astype(np.float32))

    def segment(self, frames):
        """A stretch that beats, from 0 to 1 high, often played a little faster or slower."""
        while True:
            wave = self.waves[self.rng.integers(len(self.waves))]
            pace = self.rng.uniform(0.7, 1.5)
            length = int(6 * RATE_HZ * pace)
            start = self.rng.integers(len(wave) - length)
            part = wave[start:start + length]
            if np.ptp(part) < 1e-6 or np.abs(part).max() > 6 * part.std():
                continue
            part = np.interp(np.linspace(0, length - 1, 6 * RATE_HZ), np.arange(length), part)
            part = (part - part.min()) / np.ptp(part)
            return part[2 * RATE_HZ:2 * RATE_HZ + frames]

    def moved(self, pictures):
        """[frames, 3, size, size] to [frames, 3, side, side]: a crop that is never quite on the same place."""
        frames, rng = len(pictures), self.rng
        amplitude = rng.uniform(0, 0.06) ** 2 / 0.06
        shift = np.cumsum(rng.standard_normal((frames, 2)), axis=0)
        shift = amplitude * signal.lfilter([0.3], [1, -0.7], shift, axis=0) / (np.abs(shift).max() + 1)
        scale = 0.8 * (1 + 0.2 * amplitude * np.sin(np.linspace(0, rng.uniform(1, 6), frames) + rng.uniform(0, 6.3)))
        centre = rng.uniform(-0.08, 0.08, 2)
        theta = np.zeros((frames, 2, 3), np.float32)
        theta[:, 0, 0] = theta[:, 1, 1] = scale
        theta[:, :, 2] = shift + centre
        grid = F.affine_grid(torch.from_numpy(theta), (frames, 3, self.side, self.side), align_corners=False)
        return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)


# The model folder

def finish(network, validation, options):
    for parameter in network.parameters():
        parameter.data = parameter.data.half().float()
    metrics = dict(validationCorrelationOfSteps=round(validation, 3))
    readme = pathlib.Path(__file__).with_name("pulse_deepphys_card.md").read_text().format(
        validation=f"{validation:.2f}", side=options.side, steps=options.steps, seed=SEED)
    difference = folder.export(
        network, folder.example(network), options.out, name="pulse-deepphys",
        architecture=f"DeepPhys (Chen and McDuff 2018): two branches of 2-D convolutions with attention masks, {options.side} x {options.side} pixels",
        training=dict(
            data="web-faces (grey, made coloured), with pulse waves of Stress-Predict (people with an odd number): semi-synthetic",
            licence="Stress-Predict MIT; muxspace/facial_expressions", seed=SEED, steps=options.steps,
            split="every tenth face and the last three people for validation; no face or person of the evaluation",
            command=f"python -m training.pulse_deepphys --web-faces web-faces --waves stress-predict --out pulse-deepphys --side {options.side} --steps {options.steps}"),
        metrics=metrics, limits=["semi-synthetic: no video of a real pulse was seen in training"], readme=readme)
    model_folder.halve_weights(options.out / "model.onnx")
    folder.renew_hash(options.out)
    print("OpenVINO against PyTorch:", difference)


if __name__ == "__main__":
    main()
