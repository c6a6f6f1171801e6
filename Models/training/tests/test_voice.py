"""Run in `Models/`: python -m unittest training.tests.test_voice"""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from training.voice import baseline, batches, corpora, features, metrics
from training.voice.voice_network import VoiceNetwork
from training.voice.whisper_encoder import STEPS, Encoder


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

    def test_bias_undoes_a_preference(self):
        generator = np.random.default_rng(1)
        logits = generator.standard_normal((6000, 3)) * 1.5
        labels = np.array([generator.choice(3, p=row) for row in metrics.softmax(logits)])
        temperature, bias = metrics.best_temperature_and_bias((logits + [1, 0, -1]) * 2, labels, np.ones(6000))
        self.assertAlmostEqual(temperature, 2, delta=0.2)
        np.testing.assert_allclose(bias, [-1, 0, 1], atol=0.15)


class NetworkTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(1)
        self.network = VoiceNetwork(Encoder(2)).eval()
        self.image = torch.randn(1, 80, 2 * STEPS)
        self.weights = torch.zeros(1, STEPS)
        self.weights[0, 40:90] = 1 / 50

    def test_what_lies_outside_the_speech_changes_nothing(self):
        other = self.image.clone()
        other[..., : 2 * 40 - 4] = torch.randn(80, 2 * 40 - 4)
        other[..., 2 * 90 + 4 :] = 3
        with torch.no_grad():
            before, after = self.network(self.image, self.weights), self.network(other, self.weights)
        for one, two in zip(before, after):
            torch.testing.assert_close(one, two)

    def test_a_persons_mean_may_be_taken_out_of_the_relative_logits(self):
        embeddings = torch.randn(5, self.network.embedding)
        with torch.no_grad():
            relative = self.network.relative_head(embeddings)
            torch.testing.assert_close(relative - relative.mean(0), self.network.relative_head(embeddings - embeddings.mean(0)), atol=1e-5, rtol=1e-5)


class BaselineTest(unittest.TestCase):
    """Two people who differ by a constant, which hides what they feel."""

    def setUp(self):
        generator = np.random.default_rng(1)
        labels = np.tile([0, 1, 2], 40)
        clips = [corpora.Clip(Path(f"{person}-{i}"), "C", person, ("happy", "neutral", "sad")[label]) for person in "ab" for i, label in enumerate(labels)]
        data = features.Features(np.zeros((240, 0)), None, clips, np.ones(240))
        relative = np.eye(3)[data.labels] * 4 + generator.standard_normal((240, 3)) * 0.3
        relative[120:] += [20, 0, -20]
        self.outputs = baseline.Outputs(data, np.zeros((240, 3)), relative, np.zeros((240, 3)), data.speakers)

    def test_all_of_a_person_known(self):
        known = baseline.Baseline(np.zeros(3), 1.0, 0.5, 0.5).knowing_all(self.outputs, self.outputs.plain)
        self.assertGreater(baseline.macro_recall(known, self.outputs.data.labels), 0.95)

    def test_nothing_known_is_the_plain_result(self):
        logits = baseline.Baseline(np.ones(3), 1.0, 1, 1).logits(np.array([[1.0, 2, 3]]), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(1))
        np.testing.assert_array_equal(logits, [[1, 2, 3]])

    def test_hearing_uses_no_later_clips(self):
        method, order = baseline.Baseline(np.zeros(3), 1.0, 2, 2), np.arange(240)
        before, _ = method.while_hearing(self.outputs, self.outputs.plain, order)
        self.outputs.relative[100:120] += 50
        after, _ = method.while_hearing(self.outputs, self.outputs.plain, order)
        np.testing.assert_array_equal(before[:100], after[:100])
        self.assertFalse(np.allclose(before[100:120], after[100:120]))


class FeaturesTest(unittest.TestCase):
    def test_new_speech_counts_overlap_once(self):
        windows = [("a", 0.5, 2.5), ("a", 1.0, 3.0), ("a", 4.0, 5.0), ("b", 0.5, 2.5)]
        lines = [{"file": file, "speechStartSeconds": start, "speechEndSeconds": end} for file, start, end in windows]
        np.testing.assert_allclose(features.new_speech(lines), [1, 0.25, 1, 1])


class SamplerTest(unittest.TestCase):
    def test_groups_are_one_speakers_and_balanced(self):
        generator = np.random.default_rng(1)
        emotions = ["happy"] * 2 + ["neutral"] * 10 + ["sad"] * 10
        clips = [corpora.Clip(Path(f"{person}-{i}"), "C", person, emotion) for person in "abc" for i, emotion in enumerate(emotions)]
        weights = np.zeros((66, STEPS), np.float32)
        weights[:, 10:60] = 1 / 50
        data = features.Features(generator.uniform(-1, 1, (66, 80, 2 * STEPS)).astype(np.float16), weights, clips, np.ones(66))
        batch = batches.Sampler(data, groups=2, group=12).draw(np.random.default_rng(2))
        self.assertEqual(torch.bincount(batch.labels[:12]).tolist(), [4, 4, 4])
        self.assertTrue(torch.isfinite(batch.images).all())
        torch.testing.assert_close(batch.weights.sum(1), torch.ones(24))


if __name__ == "__main__":
    unittest.main()
