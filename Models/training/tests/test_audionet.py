"""Run in `Models/`: python -m unittest training.tests.test_audionet"""

import contextlib
import io
import json
import shutil
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import soundfile
import torch

from training.voice import augmentation, corpora, original_recipe

RATE = augmentation.RATE_HZ


class SplitTest(unittest.TestCase):
    labels = np.repeat([0, 1, 2], [320, 240, 640])

    def test_eighty_ten_ten_each_class_alike_nothing_twice(self):
        parts = original_recipe.split(self.labels, seed=1)
        self.assertEqual([len(part) for part in parts], [960, 120, 120])
        self.assertEqual([np.bincount(self.labels[part]).tolist() for part in parts], [[256, 192, 512], [32, 24, 64], [32, 24, 64]])
        self.assertEqual(len(np.unique(np.concatenate(parts))), 1200)

    def test_the_seed_alone_decides(self):
        one, again, other = (original_recipe.split(self.labels, seed)[2].tolist() for seed in (1, 1, 2))
        self.assertEqual(one, again)
        self.assertNotEqual(one, other)


@unittest.skipUnless(shutil.which("ffmpeg"), "needs the ffmpeg program")
class CopiesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def tone(self, name, hertz=440):
        path = self.folder / name
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE), RATE, subtype="PCM_16")
        return corpora.parse(path)

    def test_a_shift_changes_the_pitch_and_not_the_length(self):
        samples = augmentation.read(self.tone("03-01-03-01-01-01-01.wav").path)
        for semitones in (-2, 2):
            shifted = original_recipe.shifted(samples, semitones)
            self.assertEqual(len(shifted), len(samples))
            spectrum = np.abs(np.fft.rfft(shifted[RATE // 4 : 3 * RATE // 4]))
            self.assertAlmostEqual(spectrum.argmax() * 2, 440 * 2 ** (semitones / 12), delta=6)

    def test_noise_lies_fifteen_to_thirty_decibels_below(self):
        clip = self.tone("03-01-03-01-01-01-01.wav")
        for seed in range(4):
            copy = self.folder / f"copy-{seed}.wav"
            original_recipe.write_copy(clip.path, copy, np.random.default_rng(seed))
            power = np.abs(np.fft.rfft(augmentation.read(copy)[RATE // 4 : 3 * RATE // 4] * np.hanning(RATE // 2))) ** 2
            noise = np.median(power[5000:]) / np.log(2) * len(power)  # the median of an exponential distribution, over all frequencies
            self.assertTrue(13 < 10 * np.log10((power.sum() - noise) / noise) < 32)

    def test_every_class_becomes_as_large_as_the_largest_and_again_the_same(self):
        names = ["03-01-03-01-01-01-01"] + [f"03-01-01-01-01-01-0{a}" for a in (1, 2)] + [f"03-01-05-01-01-01-0{a}" for a in (1, 2, 3)]
        clips = [self.tone(f"{name}.wav") for name in names]
        copies = original_recipe.oversampled(clips, self.folder / "one", seed=1)
        self.assertEqual(np.bincount([clip.label for clip in clips + copies]).tolist(), [3, 3, 3])
        again = original_recipe.oversampled(clips, self.folder / "two", seed=1)
        self.assertEqual([copy.path.read_bytes() for copy in copies], [copy.path.read_bytes() for copy in again])


class TrainingTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        torch.manual_seed(1)
        self.images, self.labels = torch.randn(24, 1, 40, 282), torch.arange(24) % 3

    def fit(self, name, epochs, architecture="audionet-cl"):
        options = {"seed": 1, "epochs": epochs, "patience": 100, "recipe": "improved"}
        with contextlib.redirect_stdout(io.StringIO()):
            return original_recipe.fit(
                architecture, self.images, self.labels, self.images[:9], self.labels[:9].numpy(), options, self.folder / f"{name}.pt")

    def test_gone_on_with_it_ends_as_undisturbed(self):
        for architecture in ("audionet-ct", "audionet-cl"):
            undisturbed, history = self.fit(architecture, 3, architecture)
            self.fit(architecture + "-2", 1, architecture)
            gone_on, history_gone_on = self.fit(architecture + "-2", 3, architecture)
            self.assertEqual(history_gone_on, history)
            for one, other in zip(undisturbed.state_dict().values(), gone_on.state_dict().values()):
                self.assertTrue(torch.equal(one, other))

    def test_the_best_epoch_is_the_one_with_the_best_recall_then_the_least_loss(self):
        history = [{"macroRecall": r, "validationLoss": v} for r, v in ((0.5, 1.0), (0.7, 0.9), (0.7, 0.8), (0.6, 0.1))]
        self.assertEqual(original_recipe.best_epoch(history), 3)
        self.assertEqual(original_recipe.best_epoch([]), 0)

    def test_the_card_tells_the_protocol_and_has_its_curves(self):
        out = self.folder / "model"
        out.mkdir()
        (out / "model.onnx").write_bytes(b"weights")
        history = [{"trainingLoss": 1.0, "validationLoss": 1.1, "accuracy": 0.5, "macroRecall": 0.4}] * 2
        figures = original_recipe.metrics.evaluate(np.eye(3)[[0, 1, 2, 2]] * 0.8 + 0.2 / 3, np.array([0, 1, 2, 1]))
        sizes = {"training": 960, "copies": 576, "validation": 120, "test": 120}
        original_recipe.write_cards(
            "audionet-cl", out, figures, history, 1.0, np.zeros(40), np.ones(40), sizes,
            {"seed": 1, "epochs": 500, "patience": 100, "recipe": "original"})
        card = json.loads((out / "model.json").read_text())
        self.assertEqual((card["name"], card["input"]["shape"]), ("voice-audionet-cl", [-1, 1, 40, 282]))
        self.assertEqual(set(card["metrics"]["ravdessRandomSplit"]), {"clips", "accuracy", "uar", "precision", "f1", "ece", "auroc", "confusion"})
        self.assertIn("same actors", (out / "README.md").read_text())
        xml.etree.ElementTree.parse(out / "curves.svg")


if __name__ == "__main__":
    unittest.main()
