"""Makes the demo clip: a recording of a viewer whose pulse, speech and presence are known.

    /opt/adreact/python/bin/python deploy/make-demo-clip.py [FOLDER]

Writes demo.mp4 and demo.json (what was put in) into FOLDER, by default the set-up's own folder for it or, where that
cannot be written, the user's cache. Prints the path of the clip. Does nothing if the clip is there.

The face is the photograph of the astronaut Eileen Collins (NASA, public domain). It moves, and its light changes, as a
sitting viewer's would. The skin darkens with each beat of a pulse of 72 a minute. The voice is that of espeak-ng.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

WIDTH, HEIGHT, FRAMES_PER_SECOND = 640, 480, 30
SAMPLE_RATE_HZ = 48_000
HEART_RATE_BPM = 72
# (start s, end s, is there a face, is there a voice)
PARTS = [(0, 10, True, False), (10, 15, True, True), (15, 20, False, True), (20, 24, False, False)]
DURATION_SECONDS = PARTS[-1][1]
SPEECH_START_SECONDS, SPEECH_END_SECONDS = 10.2, 19.8
TEXT = (
    "I really like the colours of this one, and the music makes me happy. "
    "The beginning was a little slow, but then the story gets going, and I wanted to know how it ends. "
    "I would certainly show it to my friends and tell them about it."
)

# Peak to peak, of the light that the skin throws back: haemoglobin absorbs green most.
PULSE_STRENGTH_RGB = np.array([0.0035, 0.010, 0.006], np.float32)
SENSOR_NOISE = 1.5  # standard deviation, of 255
SPEECH_LEVEL_DBFS, ROOM_NOISE_DBFS = -23.0, -72.0  # RMS

PREFIX = Path(os.environ.get("ADREACT_PREFIX", "/opt/adreact"))
PHOTOGRAPH = PREFIX / "demo" / "astronaut.png"
PHOTOGRAPH_SIZE = 1024  # enlarged to this many pixels a side
FACE_CENTRE = (452, 250)  # in the enlarged photograph
SKIN_CENTRE, SKIN_RADII = (448, 263), (98, 122)
BACKDROP = (300, 4, 64, 48)  # left, top, width, height, in the photograph itself: a wall


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder()
    clip, description = folder / "demo.mp4", folder / "demo.json"
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    if not is_made(clip, description, recipe):
        print("making the demo clip (once)", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".demo-") as work:
            make(Path(work), recipe)
            os.replace(Path(work) / "demo.json", description)
            os.replace(Path(work) / "demo.mp4", clip)
    print(clip)


def default_folder():
    folder = PREFIX / "demo"
    if os.access(folder, os.W_OK):
        return folder
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adreact"


def is_made(clip, description, recipe):
    try:
        return clip.is_file() and json.loads(description.read_text())["recipe"] == recipe
    except (OSError, ValueError, KeyError):
        return False


def make(work, recipe):
    samples, speech = sound(work)
    (work / "sound.f32").write_bytes(samples.astype("<f4").tobytes())
    encode(frames(), work)
    parts = [
        {"startSeconds": start, "endSeconds": end, "face": face, "voice": voice} for start, end, face, voice in PARTS
    ]
    content = {
        "durationSeconds": DURATION_SECONDS,
        "parts": parts,
        "speech": {"startSeconds": round(speech[0], 3), "endSeconds": round(speech[1], 3), "text": TEXT},
        "heartRateBPM": HEART_RATE_BPM,
        "expression": "smile",
        "recipe": recipe,
    }
    (work / "demo.json").write_text(json.dumps(content, indent=2) + "\n")


# ---- The picture ----


def frames():
    """Every frame of the clip, as bytes of RGB."""
    random = np.random.default_rng(1969)
    # Each frame's noise is cut out of one field elsewhere: new noise takes as long as all the rest.
    noise = SENSOR_NOISE * random.standard_normal((2 * HEIGHT, 2 * WIDTH, 3), np.float32)
    photograph = decode_picture(f"scale={PHOTOGRAPH_SIZE}:{PHOTOGRAPH_SIZE}:flags=lanczos")
    face = np.dstack([photograph, skin(photograph)])
    left, top, width, height = BACKDROP
    wall = decode_picture(f"crop={width}:{height}:{left}:{top},scale={PHOTOGRAPH_SIZE}:{PHOTOGRAPH_SIZE}:flags=bicubic")
    wall = np.dstack([wall, np.zeros(wall.shape[:2], np.float32)])
    for index in range(DURATION_SECONDS * FRAMES_PER_SECOND):
        seconds = index / FRAMES_PER_SECOND
        shows_face = next(face for start, end, face, _ in PARTS if start <= seconds < end)
        view = look(face if shows_face else wall, seconds)
        picture = view[..., :3] * (light(seconds) * (1 - view[..., 3:] * (pulse(seconds) * PULSE_STRENGTH_RGB)))
        x, y = random.integers(0, WIDTH), random.integers(0, HEIGHT)
        picture += noise[y : y + HEIGHT, x : x + WIDTH]
        yield (np.clip(picture, 0, 255) + 0.5).astype(np.uint8).tobytes()


def pulse(seconds):
    """The blood volume pulse, from about 0 to 1: a systolic wave, then the dicrotic one."""
    phase = seconds * HEART_RATE_BPM / 60 % 1
    # The tail of the beat before belongs to this one too.
    return sum(
        height * np.exp(-0.5 * ((phase - centre + beat) / width) ** 2)
        for centre, width, height in [(0.24, 0.09, 1.0), (0.58, 0.11, 0.38)]
        for beat in (-1, 0, 1)
    ).astype(np.float32)


def light(seconds):
    """The room's light, red, green and blue: clouds and a screen, far slower than a pulse."""
    brightness = 1 + 0.03 * np.sin(2 * np.pi * 0.09 * seconds) + 0.015 * np.sin(2 * np.pi * 0.23 * seconds + 1)
    warmth = 0.008 * np.sin(2 * np.pi * 0.13 * seconds + 2)
    return np.array([brightness + warmth, brightness, brightness - warmth], np.float32)


def look(source, seconds):
    """The part of `source` (height x width x 4) that the camera sees, as a sitting person sways before it."""
    sway = 2 * np.pi * seconds
    x = FACE_CENTRE[0] + 14 * np.sin(0.11 * sway) + 5 * np.sin(0.31 * sway + 1)
    y = FACE_CENTRE[1] + 9 * np.sin(0.08 * sway + 2) + 3 * np.sin(0.27 * sway)
    angle = np.radians(3) * np.sin(0.07 * sway + 0.5)
    step = (1 + 0.03 * np.sin(0.05 * sway)) / 0.95  # of a pixel of the clip, in pixels of the source
    right = np.arange(WIDTH, dtype=np.float32)[None, :] - WIDTH / 2
    down = np.arange(HEIGHT, dtype=np.float32)[:, None] - 220
    cosine, sine = np.float32(step * np.cos(angle)), np.float32(step * np.sin(angle))
    return bilinear(source, x + cosine * right - sine * down, y + sine * right + cosine * down)


def bilinear(source, x, y):
    height, width, channels = source.shape
    x = np.clip(x, 0, width - 1.001).astype(np.float32)
    y = np.clip(y, 0, height - 1.001).astype(np.float32)
    corner = y.astype(np.int32) * width + x.astype(np.int32)
    x, y = (x - np.floor(x))[..., None], (y - np.floor(y))[..., None]
    pixels = source.reshape(-1, channels)
    upper = pixels.take(corner, axis=0) * (1 - x) + pixels.take(corner + 1, axis=0) * x
    corner += width
    lower = pixels.take(corner, axis=0) * (1 - x) + pixels.take(corner + 1, axis=0) * x
    return upper * (1 - y) + lower * y


def skin(photograph):
    """How much of each pixel is skin, 0 to 1: told by colour, within the oval of the face (the suit is orange too)."""
    red, green, blue = np.moveaxis(photograph, -1, 0)
    blue_difference = 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue
    red_difference = 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue
    # Bounds after Chai and Ngan (1999), and brighter than hair.
    is_skin = (blue_difference > 77) & (blue_difference < 127) & (red_difference > 133) & (red_difference < 173)
    is_skin &= red > 120
    rows, columns = np.mgrid[: photograph.shape[0], : photograph.shape[1]]
    oval = ((columns - SKIN_CENTRE[0]) / SKIN_RADII[0]) ** 2 + ((rows - SKIN_CENTRE[1]) / SKIN_RADII[1]) ** 2
    return blur((is_skin & (oval < 1)).astype(np.float32))


def blur(picture):
    kernel = np.array([1, 4, 6, 4, 1], np.float32) / 16
    for axis in (0, 1):
        picture = np.apply_along_axis(np.convolve, axis, picture, kernel, "same")
    return picture.astype(np.float32)


def decode_picture(filters):
    output = run(
        ["ffmpeg", "-v", "error", "-i", PHOTOGRAPH, "-vf", filters, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    )
    return np.frombuffer(output, np.uint8).reshape(PHOTOGRAPH_SIZE, PHOTOGRAPH_SIZE, 3).astype(np.float32)


# ---- The sound ----


def sound(work):
    """The clip's samples, and where the speech starts and ends, in seconds."""
    room = np.random.default_rng(1995).standard_normal(DURATION_SECONDS * SAMPLE_RATE_HZ)
    samples = room * 10 ** (ROOM_NOISE_DBFS / 20)
    speech = say(work)
    start = round(SPEECH_START_SECONDS * SAMPLE_RATE_HZ)
    samples[start : start + len(speech)] += speech
    return samples, (start / SAMPLE_RATE_HZ, (start + len(speech)) / SAMPLE_RATE_HZ)


def say(work):
    """The text, spoken at the pace that fills the time, without the silence around it."""
    wanted = SPEECH_END_SECONDS - SPEECH_START_SECONDS
    words_per_minute = 175
    for _ in range(4):
        speech = trim(synthesize(work, words_per_minute))
        length = len(speech) / SAMPLE_RATE_HZ
        if 0.94 * wanted <= length <= wanted:
            break
        words_per_minute = round(words_per_minute * length / (0.97 * wanted))
    speech = speech[: round(wanted * SAMPLE_RATE_HZ)]
    return speech * (10 ** (SPEECH_LEVEL_DBFS / 20) / np.sqrt(np.mean(speech**2)))


def synthesize(work, words_per_minute):
    wave = work / "speech.wav"
    run(["espeak-ng", "-v", "en-us+f3", "-s", str(words_per_minute), "-w", wave, TEXT])
    output = run(["ffmpeg", "-v", "error", "-i", wave, "-ac", "1", "-ar", str(SAMPLE_RATE_HZ), "-f", "f32le", "-"])
    return np.frombuffer(output, "<f4").astype(np.float64)


def trim(samples):
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


# ---- The file ----


def encode(pictures, work):
    picture_input = f"-f rawvideo -pix_fmt rgb24 -s {WIDTH}x{HEIGHT} -r {FRAMES_PER_SECOND} -i -".split()
    sound_input = f"-f f32le -ac 1 -ar {SAMPLE_RATE_HZ} -i".split() + [work / "sound.f32"]
    # Fixed numbers of threads and no version strings: the same bytes each time. Tuned for grain: at its default, the
    # encoder takes so faint a pulse for noise and smooths it away.
    video = (
        "-vf scale=out_color_matrix=bt601:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv420p "
        "-c:v libx264 -preset medium -tune grain -crf 16 -g 60 -threads 2 "
        "-colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m -color_range tv"
    ).split()
    audio = "-c:a aac -b:a 128k".split()
    command = ["ffmpeg", "-v", "error", "-y", *picture_input, *sound_input, *video, *audio]
    command += "-fflags +bitexact -flags:v +bitexact -flags:a +bitexact -movflags +faststart".split()
    process = subprocess.Popen([*command, work / "demo.mp4"], stdin=subprocess.PIPE)
    try:
        for picture in pictures:
            process.stdin.write(picture)
        process.stdin.close()
    except BrokenPipeError:
        pass  # ffmpeg has said why; its exit status follows.
    if process.wait() != 0:
        raise SystemExit("make-demo-clip: ffmpeg failed")


def run(command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True).stdout
    except FileNotFoundError:
        raise SystemExit(f"make-demo-clip: {command[0]} is missing; run deploy/setup.sh")
    except subprocess.CalledProcessError:
        raise SystemExit(f"make-demo-clip: {command[0]} failed")


if __name__ == "__main__":
    main()
