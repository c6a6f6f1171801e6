"""The training pictures: FER+ vote distributions, web faces, and the augmentation that stands between them and webcams."""

import csv
import hashlib
import os

import cv2
import numpy as np

from network import CLASS_OF_EMOTION, EMOTIONS, MEAN, STANDARD_DEVIATION

cv2.setNumThreads(1)

# The web faces have one annotator. Trust in a label, and how much of the rest goes to the other emotions of its class.
WEB_LABEL_TRUST = 0.85
# One web face in five people is held out.
WEB_HELD_OUT_SHARE = 5


class Pictures:
    """Grey square pictures with a distribution over the eight emotions each.

    images: list of uint8 arrays (size, size); targets: (n, 8) float32, rows sum to 1; weights: (n,) float32;
    names: file names, for the failure gallery.
    """

    def __init__(self, images, targets, weights, names):
        self.images = images
        self.targets = np.asarray(targets, dtype=np.float32)
        self.weights = np.asarray(weights, dtype=np.float32)
        self.names = names

    def __len__(self):
        return len(self.images)

    def __add__(self, other):
        return Pictures(
            self.images + other.images,
            np.concatenate([self.targets, other.targets]),
            np.concatenate([self.weights, other.weights]),
            self.names + other.names,
        )

    def class_targets(self):
        """(n, 3): the emotions' shares folded into positive, neutral, negative."""
        folded = np.zeros((len(self), 3), dtype=np.float32)
        for emotion, c in enumerate(CLASS_OF_EMOTION):
            folded[:, c] += self.targets[:, emotion]
        return folded


def read_grey(path):
    image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise FileNotFoundError(f"{path}: not a picture")
    return image


def load_ferplus(folder, split, majority_only=False):
    """FER2013 pictures with FER+ votes. Dropped: those where `unknown` and `not_face` together have at least as many
    votes as the strongest of the three classes.

    majority_only: the pictures that FER+'s authors judge by (Barsoum et al. 2016, `majority` in their code): an answer
    that one annotator alone gave is struck out, then one emotion must have more than half of the votes."""
    images, targets, names = [], [], []
    with open(os.path.join(folder, "votes.csv"), newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] != split:
                continue
            votes = np.array([float(row[emotion]) for emotion in EMOTIONS])
            not_emotions = np.array([float(row["unknown"]), float(row["not_face"])])
            if majority_only:
                votes, not_emotions = np.where(votes > 1, votes, 0), np.where(not_emotions > 1, not_emotions, 0)
                if votes.max() <= (votes.sum() + not_emotions.sum()) / 2:
                    continue
            folded = np.bincount(CLASS_OF_EMOTION, weights=votes, minlength=3)
            if not_emotions.sum() >= folded.max():
                continue
            images.append(read_grey(os.path.join(folder, row["file"])))
            targets.append(votes / votes.sum())
            names.append(row["file"])
    return Pictures(images, targets, np.ones(len(images)), names)


def is_held_out(person):
    return hashlib.sha1(person.encode()).digest()[0] % WEB_HELD_OUT_SHARE == 0


def load_web_faces(folder, held_out, weight=1.0):
    """News photographs, one annotator. People are told apart by the name in the file name, so that no one is both
    trained on and held out."""
    images, targets, names = [], [], []
    with open(os.path.join(folder, "labels.csv"), newline="") as file:
        for row in csv.DictReader(file):
            person = row["file"].rsplit("_", 1)[0]
            if is_held_out(person) != held_out:
                continue
            label = EMOTIONS.index(row["emotion"])
            target = np.full(len(EMOTIONS), (1 - WEB_LABEL_TRUST) / len(EMOTIONS))
            target[label] += WEB_LABEL_TRUST
            images.append(read_grey(os.path.join(folder, row["file"])))
            targets.append(target)
            names.append(row["file"])
    return Pictures(images, targets, np.full(len(images), weight), names)


def upright(image, size):
    """The picture as the node gives it to the network: bilinear when growing, area average when shrinking."""
    if image.shape[0] == size:
        return image
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_LINEAR)


def standardised(images):
    """uint8 or float (n, size, size) to float32 (n, 1, size, size)."""
    batch = np.asarray(images, dtype=np.float32)
    return ((batch - MEAN) / STANDARD_DEVIATION)[:, None]


# So many training pictures are shown nearly as they are: the network must know faces, not only damaged ones. (Changed strongly all of
# them, it had not even learnt its training pictures: 0.88 of them right, 0.863 of FER+ valid.)
SLIGHTLY_CHANGED_SHARE = 0.5


def augmented(image, size, random):
    """One training picture: what a webcam and a face detector would have made of this face. uint8 -> float32 0-255."""
    image = image.astype(np.float32)
    return slightly_changed(image, size, random) if random.random() < SLIGHTLY_CHANGED_SHARE else strongly_changed(image, size, random)


def turned(degrees, mirror):
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([mirror, 1.0])


def framed(image, size, matrix, shift, border):
    """The picture under a linear map about its centre, which is then shifted by a share of the size."""
    centre = (image.shape[0] - 1) / 2
    offset = (size - 1) / 2 + shift * size - matrix @ np.array([centre, centre])
    return cv2.warpAffine(
        image, np.column_stack([matrix, offset]).astype(np.float32), (size, size), flags=cv2.INTER_LINEAR, borderMode=border)


def with_contrast(image, contrast, brightness):
    mean = image.mean()
    return (image - mean) * contrast + mean + brightness


def slightly_changed(image, size, random):
    degrees, scale = random.normal(0, 4), size / image.shape[0] * np.exp(random.normal(0.0, 0.05))
    mirror = -1.0 if random.random() < 0.5 else 1.0
    image = framed(image, size, scale * turned(degrees, mirror), random.normal(0, 0.02, 2), cv2.BORDER_REPLICATE)
    return np.clip(with_contrast(image, np.exp(random.normal(0, 0.1)), random.normal(0, 10)), 0, 255)


def strongly_changed(image, size, random):
    if image.shape[0] > 48 and random.random() < 0.7:  # sharp pictures are few: show them mostly at FER's resolution
        image = upright(image, int(random.integers(40, 97)))
    elif image.shape[0] == 48 and random.random() < 0.25:  # a small or distant face
        image = upright(image, int(random.integers(24, 44)))

    # Framing: flip, rotate, scale, shift, a little shear; black outside the picture as in the node, or the edge drawn out.
    degrees = random.normal(0, 7)
    scale = size / image.shape[0] * np.exp(random.normal(0.0, 0.10))
    aspect = np.exp(random.normal(0, 0.04))
    mirror = -1.0 if random.random() < 0.5 else 1.0
    shape = np.array([[scale * aspect * mirror, random.normal(0, 0.03) * scale], [0, scale / aspect]])
    shift = random.normal(0, 0.04, 2)
    border = cv2.BORDER_CONSTANT if random.random() < 0.3 else cv2.BORDER_REPLICATE
    image = framed(image, size, turned(degrees, 1.0) @ shape, shift, border)

    # Light: contrast, brightness, gamma, and a lamp from one side.
    if random.random() < 0.8:
        image = with_contrast(image, np.exp(random.normal(0, 0.25)), random.normal(0, 25))
    if random.random() < 0.3:
        ramp = np.linspace(-1, 1, size, dtype=np.float32)
        direction = random.uniform(0, 2 * np.pi)
        light = 1 + random.uniform(0, 0.5) * (np.cos(direction) * ramp[None, :] + np.sin(direction) * ramp[:, None])
        image = image * light
    image = np.clip(image, 0, 255)
    if random.random() < 0.3:
        image = 255 * (image / 255) ** np.exp(random.normal(0, 0.3))

    # The camera: blur or sharpening, noise, compression.
    kind = random.random()
    if kind < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.5, 1.8) * size / 80)
    elif kind < 0.4:
        image = image + random.uniform(0.3, 1.5) * (image - cv2.GaussianBlur(image, (0, 0), 1.5 * size / 80))
    if random.random() < 0.3:
        image = image + random.normal(0, random.uniform(1, 10), image.shape)
    if random.random() < 0.25:
        quality = int(random.integers(25, 90))
        _, jpeg = cv2.imencode(".jpg", np.clip(image, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE).astype(np.float32)

    if random.random() < 0.25:  # a hand, hair, a microphone
        height, width = random.integers(size // 8, size // 3, 2)
        top, left = random.integers(0, size - height), random.integers(0, size - width)
        image[top : top + height, left : left + width] = random.uniform(0, 255)
    return np.clip(image, 0, 255)
