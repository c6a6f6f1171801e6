"""The pictures for the original's networks: faces in colour from RAVDESS, or grey ones of FER+ and the web faces, split, turned
and flipped."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from sklearn.model_selection import GroupShuffleSplit, train_test_split

import ravdess
from original_networks import MEAN, SIZE, STANDARD_DEVIATION, torchvision_models
from pictures import load_ferplus, load_web_faces, upright

torchvision_models()  # before anything else of torchvision
from torchvision.transforms import v2  # noqa: E402

HELD_OUT_SHARE = 0.1  # for validation, and again for the test
ROTATION_DEGREES = 15


@dataclass
class Face:
    """image: a file, or uint8 (height, width), grey. target: shares of the three classes. person: None if not known."""

    image: Path | np.ndarray
    target: np.ndarray
    person: str | None

    @property
    def label(self):
        return int(self.target.argmax())

    def rgb(self):
        """uint8 (height, width, 3)."""
        if isinstance(self.image, np.ndarray):
            return cv2.cvtColor(self.image, cv2.COLOR_GRAY2RGB)
        picture = cv2.imread(str(self.image), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError(f"{self.image}: not a picture")
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


@dataclass
class Split:
    """Trained on; chooses the epoch and the temperature; gives the figures."""

    training: list[Face]
    validation: list[Face]
    test: list[Face]


def without_a_tenth(faces, seed, by_person):
    """(most of the faces, HELD_OUT_SHARE of them or of their people)."""
    if by_person:
        people = [face.person for face in faces]
        kept, held_out = next(GroupShuffleSplit(1, test_size=HELD_OUT_SHARE, random_state=seed).split(faces, groups=people))
    else:
        labels = [face.label for face in faces]
        kept, held_out = train_test_split(range(len(faces)), test_size=HELD_OUT_SHARE, random_state=seed, stratify=labels)
    return [faces[i] for i in sorted(kept)], [faces[i] for i in sorted(held_out)]


def split(faces, seed, by_person):
    """80/10/10. By person: nobody is in two parts. Else the pictures are drawn at random, as in the original's first protocol:
    the same actors, and frames of the same recordings, are in all three."""
    rest, test = without_a_tenth(faces, seed, by_person)
    training, validation = without_a_tenth(rest, seed + 1, by_person)
    return Split(training, validation, test)


def load_ravdess(folder, seed, by_person):
    found = ravdess.frames(folder)
    return split([Face(path, np.eye(3, dtype=np.float32)[known.label], known.actor) for path, known in found], seed, by_person)


def grey_faces(pictures, people=None):
    targets = pictures.class_targets()
    return [Face(image, targets[i], people[i] if people else None) for i, image in enumerate(pictures.images)]


def load_ferplus_split(folder, seed):
    """FER+ says nothing of people: a tenth of `train` at random is for validation, `valid` gives the figures."""
    training, validation = without_a_tenth(grey_faces(load_ferplus(folder, "train")), seed, by_person=False)
    return Split(training, validation, grey_faces(load_ferplus(folder, "valid")))


def load_web_faces_split(folder, seed):
    """The test has the people that train.py holds out too."""

    def faces(held_out):
        pictures = load_web_faces(folder, held_out)
        return grey_faces(pictures, [name.rsplit("_", 1)[0] for name in pictures.names])

    training, validation = without_a_tenth(faces(False), seed, by_person=True)
    return Split(training, validation, faces(True))


def shown(picture):
    """uint8 (height, width, 3) to (SIZE, SIZE, 3): the middle square, as `face-node classify --cropped` takes it."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return upright(picture[top : top + side, left : left + side], SIZE)


normalise = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STANDARD_DEVIATION)])
turn_and_flip = v2.Compose(
    [v2.RandomHorizontalFlip(), v2.RandomRotation(ROTATION_DEGREES, interpolation=v2.InterpolationMode.BILINEAR)])


class Pictures(torch.utils.data.Dataset):
    """(float32 (3, SIZE, SIZE), shares of the classes). Augmented, a picture depends on the seed, the epoch and its number alone,
    whatever process makes it and wherever training goes on."""

    def __init__(self, faces, seed=None):
        """No seed: no augmentation."""
        self.faces = faces
        self.seed = seed
        self.epoch = 0

    def __len__(self):
        return len(self.faces)

    def __getitem__(self, index):
        face = self.faces[index]
        picture = torch.from_numpy(shown(face.rgb())).permute(2, 0, 1)
        if self.seed is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed((self.seed * 1009 + self.epoch) * 1_000_003 + index)
                picture = turn_and_flip(picture)
        return normalise(picture), torch.from_numpy(np.asarray(face.target, dtype=np.float32))
