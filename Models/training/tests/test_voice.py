"""Run in `Models/`: python -m unittest training.tests.test_voice"""

import tempfile
import unittest
from pathlib import Path

import numpy as np

from training.voice import corpora, metrics


class CorporaTest(unittest.TestCase):
    def load(self, *names: str) -> list[corpora.Clip]:
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            return corpora.load(Path(folder))

    def test_ravdess_as_published(self):
        happy, calm = self.load("Actor_01/03-01-03-01-02-01-01.wav", "Actor_02/03-01-02-01-01-01-02.wav")
        self.assertEqual((happy.corpus, happy.speaker, happy.emotion, happy.label), ("RAVDESS", "actor-01", "happy", corpora.POSITIVE))
        self.assertEqual((calm.speaker, calm.label), ("actor-02", corpora.NEUTRAL))

    def test_ravdess_song_and_strangers_are_left_out(self):
        clips = self.load("03-02-03-01-02-01-01.wav", "03-01-09-01-02-01-01.wav", "readme.txt", "03-01-05-01-02-01-01.flac")
        self.assertEqual([clip.emotion for clip in clips], ["angry"])

    def test_other_corpora(self):
        clips = self.load("AB_fear_1.opus", "EMOVO_f1_surprised_3.opus", "TUREV_1157_calm_001.opus")
        self.assertEqual(
            [(clip.corpus, clip.speaker, clip.label) for clip in clips],
            [("NEMO", "AB", corpora.NEGATIVE), ("EMOVO", "f1", corpora.POSITIVE), ("TUREV", "1157", corpora.NEUTRAL)])

    def test_a_folder_without_clips_is_an_error(self):
        with self.assertRaises(SystemExit):
            self.load("notes.txt")


class MetricsTest(unittest.TestCase):
    def test_macro_recall_counts_classes_not_clips(self):
        labels = np.array([0, 1, 2, 2, 2, 2, 2, 2])
        always_negative = np.tile([0.1, 0.1, 0.8], (8, 1))
        figures = metrics.evaluate(always_negative, labels)
        self.assertEqual((figures["accuracy"], figures["uar"]), (0.75, round(1 / 3, 4)))

    def test_temperature_undoes_overconfidence(self):
        generator = np.random.default_rng(1)
        logits = generator.standard_normal((4000, 3)) * 1.5
        labels = np.array([generator.choice(3, p=row) for row in metrics.softmax(logits)])
        self.assertAlmostEqual(metrics.best_temperature(logits * 3, labels), 3, delta=0.3)


if __name__ == "__main__":
    unittest.main()
