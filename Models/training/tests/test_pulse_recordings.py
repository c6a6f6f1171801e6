"""Run in `Models/`: python -m unittest training.tests.test_pulse_recordings"""

import pathlib
import pickle
import tempfile
import unittest

import numpy as np

from training import pulse_recordings as recordings


class FolderTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)


class DEAPTest(FolderTest):
    def write(self, name, data, labels, protocol=2):
        (self.folder / name).write_bytes(pickle.dumps({"data": data, "labels": labels}, protocol=protocol))

    def test_the_pulse_channel_after_the_baseline_with_its_valence(self):
        data = np.zeros((3, 40, 384 + 256))
        data[:, 38] = np.arange(640)
        labels = np.array([[1.5, 5, 5, 5], [7.5, 5, 5, 5], [2.0, 5, 5, 5]])
        for protocol in (2, 4):
            self.write("s01.dat", data, labels, protocol)
            waves = recordings.load_deap(self.folder)
            self.assertEqual([wave.label for wave in waves], [recordings.NEGATIVE, recordings.POSITIVE, recordings.NEUTRAL])
            self.assertEqual([wave.trial for wave in waves], [0, 1, 2])
            self.assertEqual((waves[0].person, waves[0].rate_hz), ("s01", 128))
            np.testing.assert_array_equal(waves[0].wave, np.arange(384, 640))

    def test_another_layout_is_refused(self):
        self.write("s01.dat", np.zeros((3, 32, 640)), np.zeros((3, 4)))
        with self.assertRaisesRegex(ValueError, "s01.dat"):
            recordings.load_deap(self.folder)

    def test_a_pickle_that_runs_something_is_refused(self):
        (self.folder / "s01.dat").write_bytes(pickle.dumps(pathlib.PurePosixPath))
        with self.assertRaises(pickle.UnpicklingError):
            recordings.load_deap(self.folder)

    def test_an_empty_folder_is_an_error(self):
        with self.assertRaises(ValueError):
            recordings.load_deap(self.folder)


class UBFCTest(FolderTest):
    def subject(self, name):
        (self.folder / name).mkdir()
        (self.folder / name / "vid.avi").touch()
        return self.folder / name

    def test_both_parts(self):
        (self.subject("subject3") / "ground_truth.txt").write_text("  1.0e+0 2.0\n 70 71\n 0.00 0.03\n")
        (self.subject("5-gt") / "gtdump.xmp").write_text("0,80,98,30\n16,81,98,31\n")
        second, first = recordings.load_ubfc(self.folder)
        self.assertEqual((first.person, second.person), ("subject3", "5-gt"))
        np.testing.assert_array_equal(first.wave, [1, 2])
        np.testing.assert_array_equal(first.heart_rates_bpm, [70, 71])
        np.testing.assert_array_equal(first.times, [0, 0.03])
        np.testing.assert_array_equal(second.wave, [30, 31])
        np.testing.assert_array_equal(second.times, [0, 0.016])
        self.assertEqual(second.video.name, "vid.avi")

    def test_damaged_truth_is_named(self):
        (self.subject("subject1") / "ground_truth.txt").write_text("1 2 3\n70 71\n0 0.03\n")
        with self.assertRaisesRegex(ValueError, "ground_truth.txt"):
            recordings.load_ubfc(self.folder)

    def test_a_folder_without_recordings_is_an_error(self):
        with self.assertRaises(ValueError):
            recordings.load_ubfc(self.folder)


if __name__ == "__main__":
    unittest.main()
