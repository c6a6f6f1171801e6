"""Makes semi-synthetic face videos with a known pulse, for measuring `rppg-node measure`.

    python pulse_semisynthetic.py --clips CLIPS --waves stress-predict --out /tmp/pulse-semisynthetic [--set webcam]

Real face clips, played forwards and backwards to the wanted length (of very short ones a frame, moved as a whole), get the real pulse
wave of a person's wrist into their skin-coloured pixels: relative strengths 0.33, 0.77, 0.53 for R, G, B (de Haan and van Leest 2014),
up to 1.2 % of the pixel value, peak to peak, in green. Half of the faces are made darker. Then head motion, light and camera noise, and
H.264. Without a pulse, under the same treatment: still photographs (one frame of a clip), and the same printed in grey. The injected
wave is the exact truth; how skin scatters it is not, and people who were filmed have a pulse of their own, weaker than the injected one: say
"semi-synthetic" wherever such a figure is reported.

The waves are of people with an even number (S02, S04...): those with an odd one are for training.

Two sets. `small`: at most 360 pixels a side; the encoder then spends 15-400 kbit/s. `webcam`: faces 250 pixels
wide in at most 640 x 480, as a webcam shows a viewer at arm's length; there waves are played up to a fifth faster
or slower, so that the rates really cover 50-110 bpm.

Writes NAME.mp4 and truth.json: for each clip its settings and the heart rate of each 12 s window that ends at a whole second.
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess

import cv2
import numpy as np
from scipy import signal

SEED = 20261123
RATE = 30
WINDOW_SECONDS = 12
STRENGTHS = np.array([0.33, 0.77, 0.53]) / 0.77
# Long enough to be played forwards and backwards without repeating movements at the rate of a heart.
MOVING = ["sad-then-happy.mp4", "talker-1.mp4", "talker-2.mp4", "talker-3.mp4"]
# Too short for that: one frame of them, which is moved as a whole.
STILL = ["expressive-no-audio.mp4", "single-face.mp4", "grid-1.mpg", "grid-3.mpg", "grid-5.mpg", "pulse-face-30s.mp4"]
# Where the faces are: the distance of the eyes and the tip of the nose, pixels (by BlazeFace). A face is about 2.2 times as wide as the
# distance of its eyes (138 and 63 mm).
FACES = {
    "sad-then-happy.mp4": (101, 440, 206), "talker-1.mp4": (94, 415, 253), "talker-2.mp4": (138, 363, 426),
    "talker-3.mp4": (107, 303, 311), "expressive-no-audio.mp4": (107, 244, 318), "single-face.mp4": (72, 292, 206),
    "grid-1.mpg": (51, 158, 189), "grid-3.mpg": (60, 194, 168), "grid-5.mpg": (59, 190, 186), "pulse-face-30s.mp4": (79, 151, 136)}
# How often each source is used, by kind.
COPIES = dict(photograph=1, print=1, pulse=4)
# Amplitude of the head's motion, pixels, and its speed, Hz.
MOTIONS = dict(none=(0, 0.2), low=(2, 0.3), high=(8, 0.6))
# Relative amplitude of a light that comes and goes at 0.12 Hz.
LIGHTS = dict(steady=0.0, drifting=0.03)
# What the skin's R, G, B are multiplied by.
TONES = dict(own=(1, 1, 1), darker=(0.62, 0.55, 0.5))


@dataclasses.dataclass(frozen=True)
class ClipSet:
    seconds: int
    # Pixels; None: the picture's longer side is at most 360.
    face_width: int | None
    # Waves are played up to this factor faster or slower.
    stretch: float
    # How many places in each recording of a wave are tried.
    tries: int


SETS = dict(
    small=ClipSet(seconds=18, face_width=None, stretch=1, tries=60),
    webcam=ClipSet(seconds=18, face_width=250, stretch=1.2, tries=300))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("clips", "waves", "out"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--set", choices=SETS, default="small")
    options = parser.parse_args()
    clip_set = SETS[options.set]
    options.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    waves = pulse_segments(options.waves, rng, clip_set)
    truth_path = options.out / "truth.json"
    truth = json.loads(truth_path.read_text()) if truth_path.exists() else {}
    sources = MOVING + STILL
    jobs = [(source, kind, copy) for kind, copies in COPIES.items() for copy in range(copies) for source in sources]
    # In no order, so that what an interrupted run leaves is a sample of everything.
    for number in map(int, rng.permutation(len(jobs))):
        source, kind, copy = jobs[number]
        # Steps at which no condition goes with another, or with a face.
        settings = dict(
            source=source, kind=kind, motion=list(MOTIONS)[number % 3], light=list(LIGHTS)[number // 3 % 2],
            crf=[18, 23, 28][(number // 6 + 2 * copy) % 3], strength=[0.012, 0.007][(number + copy) % 2],
            noise=[1.0, 2.0][(number // 2 + copy) % 2], tone=list(TONES)[number // 7 % 2])
        name = f"{number:03d}-{kind}-{pathlib.Path(source).stem}"
        if f"{name}.mp4" in truth:
            continue  # Made by an earlier run.
        wave = waves[number % len(waves)]
        if kind != "pulse":
            settings["strength"] = 0
        else:
            settings["windows"] = window_rates(wave["values"])
        make_clip(options.clips / source, options.out / f"{name}.mp4", wave["values"], settings, clip_set,
                  np.random.default_rng([SEED, number]))
        truth[f"{name}.mp4"] = settings | dict(person=wave["person"])
        truth_path.write_text(json.dumps(truth, indent=1))
        print(name, {key: value for key, value in settings.items() if key != "windows"},
              list(settings.get("windows", {}).values())[:1], flush=True)


def pulse_segments(folder, rng, clip_set, count=40):
    """Clean stretches of contact waves, of heart rates spread over 50-110 bpm; values in -0.5...0.5 at RATE."""
    found = []
    # What is played faster must be longer.
    seconds = clip_set.seconds * clip_set.stretch
    for path in sorted(folder.glob("S*.npz")):
        if int(path.stem[1:]) % 2 != 0:
            continue
        recording = np.load(path)
        rate = float(recording["fs_hz"])
        wave = recording["bvp"] * float(recording["bvp_scale"])
        wave = signal.sosfiltfilt(signal.butter(3, [0.5, 8], "bandpass", fs=rate, output="sos"), wave)
        for start in rng.choice(len(wave) - int(seconds * rate), clip_set.tries, replace=False):
            part = wave[start:start + int(seconds * rate)]
            values = signal.resample(part, int(seconds * RATE))
            beats, _ = signal.find_peaks(values, distance=RATE // 3, prominence=0.5 * values.std())
            if len(beats) < 10:
                continue
            intervals, heights = np.diff(beats) / RATE, values[beats]
            # Steady beats of even height, and a spectrum that agrees with them.
            if intervals.std() > 0.1 * intervals.mean() or heights.std() > 0.25 * heights.mean():
                continue
            if abs(spectral_rate(values) - 60 / intervals.mean()) > 3:
                continue
            found.append(dict(person=path.stem, bpm=60 / intervals.mean(), values=values / np.ptp(values)))
    wanted = np.linspace(50, 110, count)
    chosen = [played_at(bpm, min(found, key=lambda segment: abs(segment["bpm"] - bpm)), clip_set) for bpm in wanted]
    rng.shuffle(chosen)
    return chosen


def played_at(bpm, segment, clip_set):
    """The segment with its rate brought to the wanted one, as far as it may be stretched, and cut to the clip's length."""
    if clip_set.stretch == 1:
        return segment
    factor = np.clip(bpm / segment["bpm"], 1 / clip_set.stretch, clip_set.stretch)
    values = segment["values"]
    places = np.arange(clip_set.seconds * RATE) * factor
    values = np.interp(places, np.arange(len(values)), values)
    return segment | dict(bpm=segment["bpm"] * factor, values=values / np.ptp(values))


def spectral_rate(values):
    values = signal.detrend(values) * np.hanning(len(values))
    power = np.abs(np.fft.rfft(values, 8192)) ** 2
    frequency = np.fft.rfftfreq(8192, 1 / RATE)
    band = (frequency > 0.7) & (frequency < 3.4)
    return 60 * frequency[np.argmax(power * band)]


def window_rates(values):
    """The spectral rate of each window, by its end in seconds."""
    return {end: round(spectral_rate(values[(end - WINDOW_SECONDS) * RATE:end * RATE]), 2)
            for end in range(WINDOW_SECONDS, len(values) // RATE + 1)}


def read_frames(path, clip_set):
    """At most the set's length of frames, RGB, of the set's size."""
    if clip_set.face_width is None:
        scale = "scale='if(gt(iw,ih),min(360,iw),-2)':'if(gt(iw,ih),-2,min(360,ih))',fps=30"
    else:
        eyes, x, y = FACES[path.name]
        factor = clip_set.face_width / (2.2 * eyes)
        scale = (f"scale=iw*{factor}:ih*{factor}:flags=bicubic,crop='min(640,iw)':'min(480,ih)':{x * factor}-ow/2:{y * factor}-oh/2,fps=30")
    probe = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-vf", scale, "-frames:v", "1", "-f", "image2pipe",
                            "-c:v", "ppm", "-"], capture_output=True, check=True).stdout
    width, height = map(int, probe.split(b"\n", 3)[1].split())
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-an", "-vf", scale, "-t", str(clip_set.seconds), "-pix_fmt",
                          "rgb24", "-f", "rawvideo", "-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def skin(frame):
    """How much of each pixel is skin, 0...1: by chroma, softened."""
    _, cr, cb = cv2.split(cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb))
    mask = ((cb > 50) & (cb < 127) & (cr > 133) & (cr < 178)).astype(np.float32)
    return cv2.blur(mask, (7, 7))


def make_clip(source, target, wave, settings, clip_set, rng):
    frames = read_frames(source, clip_set)
    if settings["kind"] != "pulse" or source.name in STILL:
        frames = frames[len(frames) // 2:len(frames) // 2 + 1]
    if settings["kind"] == "print":
        frames = np.repeat(frames.mean(axis=3, keepdims=True), 3, axis=3).astype(np.uint8)
    count, height, width, _ = frames.shape
    period = max(1, 2 * (count - 1))
    pixels, hz = MOTIONS[settings["motion"]]
    margin = pixels + 2
    phases = rng.uniform(0, 2 * np.pi, 8)
    light_phase = rng.uniform(0, 2 * np.pi)
    out_height, out_width = (height - 2 * margin) // 2 * 2, (width - 2 * margin) // 2 * 2
    encoder = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{out_width}x{out_height}", "-r",
         str(RATE), "-i", "-", "-c:v", "libx264", "-threads", "1", "-preset", "veryfast", "-crf",
         str(settings["crf"]), "-pix_fmt", "yuv420p", target], stdin=subprocess.PIPE)
    # The camera's noise, drawn once and read from a random place in every frame: drawing it anew takes half of all time.
    size = out_height * out_width * 3
    grain = settings["noise"] * rng.standard_normal(2 * size, np.float32)
    skins = SkinOfFrames(frames, np.array(TONES[settings["tone"]], np.float32))
    for number in range(clip_set.seconds * RATE):
        t = number / RATE
        index = number % period
        base, blood = skins.of(index if index < count else period - index)
        # More blood, less light.
        frame = cv2.addWeighted(base, 1, blood, -settings["strength"] * wave[number], 0)
        light = 1 + LIGHTS[settings["light"]] * np.sin(2 * np.pi * 0.12 * t + light_phase)
        x = margin + pixels * sum(np.sin(2 * np.pi * hz * f * t + p) for f, p in zip((1, 0.37, 1.7), phases)) / 3
        y = margin + pixels * sum(np.sin(2 * np.pi * hz * f * t + p) for f, p in zip((0.8, 0.31, 1.9), phases[3:])) / 3
        # Between pixels bilinearly.
        frame = cv2.warpAffine(frame, np.float32([[1, 0, -x], [0, 1, -y]]), (out_width, out_height), flags=cv2.INTER_LINEAR)
        start = rng.integers(size)
        frame = cv2.addWeighted(frame, light, grain[start:start + size].reshape(frame.shape), 1, 0, dtype=cv2.CV_8U)
        encoder.stdin.write(frame.tobytes())
    encoder.stdin.close()
    if encoder.wait() != 0:
        raise RuntimeError(f"ffmpeg could not write {target}")


class SkinOfFrames:
    """Frames as floats in the wanted tone, and how much of them changes with the blood."""

    def __init__(self, frames, tone):
        self.frames, self.tone, self.number = frames, tone - 1, None

    def of(self, number):
        if number != self.number:
            mask = skin(self.frames[number])[..., None]
            self.base = self.frames[number] * (1 + self.tone * mask)
            self.blood = self.base * mask * STRENGTHS.astype(np.float32)
            self.number = number
        return self.base, self.blood


if __name__ == "__main__":
    main()
