"""Run in `Models/`: python -m unittest training.tests.test_face_original"""

import contextlib
import io
import json
import re
import stat
import sys
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "face"))

import original_card  # noqa: E402
import original_networks  # noqa: E402
import original_pictures  # noqa: E402
import ravdess  # noqa: E402
import ravdess_frames  # noqa: E402
import train_original  # noqa: E402
from curves import curves  # noqa: E402


class FolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def touch(self, *names):
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def draw(self, name, seed, size=40):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8))

    def draw_ravdess(self, actors=10, frames=2):
        """As ravdess_frames.py leaves it: happy, neutral and sad of each actor."""
        for actor in range(1, actors + 1):
            for emotion in (1, 3, 4):
                for frame in range(frames):
                    self.draw(f"01-01-{emotion:02}-01-01-01-{actor:02}/{frame:04}.png", seed=[actor, emotion, frame])


class RavdessTest(FolderTest):
    def test_videos_as_published(self):
        self.touch(
            "Video_Speech_Actor_01/Actor_01/01-01-03-01-02-01-01.mp4", "Video_Speech_Actor_02/Actor_02/01-01-02-01-01-01-02.mp4")
        (_, happy), (_, calm) = ravdess.videos(self.folder)
        self.assertEqual((happy.emotion, happy.label, happy.actor), ("happy", 0, "actor-01"))
        self.assertEqual((calm.emotion, calm.label, calm.actor), ("calm", 1, "actor-02"))

    def test_every_emotion_has_the_class_of_the_project(self):
        names = [f"Actor_01/01-01-{emotion:02}-01-01-01-01.mp4" for emotion in range(1, 9)]
        self.touch(*names)
        self.assertEqual([known.label for _, known in ravdess.videos(self.folder)], [1, 1, 0, 2, 2, 2, 2, 0])

    def test_a_recording_with_and_without_sound_counts_once(self):
        self.touch("a/01-01-05-01-02-01-07.mp4", "a/02-01-05-01-02-01-07.mp4", "a/02-01-06-01-02-01-07.mp4")
        self.assertEqual([path.name for path, _ in ravdess.videos(self.folder)], ["01-01-05-01-02-01-07.mp4", "02-01-06-01-02-01-07.mp4"])

    def test_song_sound_alone_and_strangers_are_left_out(self):
        self.touch(
            "01-02-03-01-02-01-01.mp4", "03-01-03-01-02-01-01.mp4", "01-01-09-01-02-01-01.mp4", "holiday.mp4", "01-01-04-01-02-01-01.txt",
            "01-01-04-01-02-01-01.mp4")
        self.assertEqual([known.emotion for _, known in ravdess.videos(self.folder)], ["sad"])

    def test_frames_in_folders_and_by_name(self):
        self.touch("01-01-03-01-02-01-05/0012.png", "flat/01-01-05-01-02-01-06_0007.jpg", "flat/cover.jpg")
        self.assertEqual([(known.emotion, known.actor) for _, known in ravdess.frames(self.folder)], [("happy", "actor-05"), ("angry", "actor-06")])

    def test_a_folder_without_recordings_is_an_error(self):
        self.touch("notes.txt")
        with self.assertRaises(SystemExit):
            ravdess.videos(self.folder)

    def test_faces_are_cut_from_frames_and_not_twice(self):
        video = self.folder / "videos/Actor_03/01-01-03-01-01-01-03.mp4"
        video.parent.mkdir(parents=True)
        writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"mp4v"), 30, (64, 48))
        for i in range(25):
            writer.write(np.full((48, 64, 3), 0 if i == 20 else 100 + i, dtype=np.uint8))
        writer.release()
        node = self.folder / "node.py"  # stands for face-node: finds a face in all frames but the first
        node.write_text(
            f"#!{sys.executable}\nimport json, os, shutil, sys\n"
            "assert sys.argv[1:5] == ['crop', '--colour', '--size', '224']\n"
            "out, pictures = sys.argv[6], sys.argv[7:]\n"
            "print(json.dumps({'file': pictures[0], 'error': 'noFace'}))\n"
            "for picture in pictures[1:]:\n"
            "    crop = os.path.join(out, os.path.basename(picture)[:-4] + '.ppm')\n"
            "    shutil.copy(picture, crop)\n"
            "    print(json.dumps({'file': picture, 'crop': crop}))\n"
            "sys.exit(65)\n")
        node.chmod(node.stat().st_mode | stat.S_IXUSR)
        command = ["x", "--videos", str(self.folder / "videos"), "--out", str(self.folder / "faces"), "--every", "5", "--node", str(node)]
        with unittest.mock.patch.object(sys, "argv", command):
            for expected in ("1/1 01-01-03-01-01-01-03: 3 faces\n", ""):
                with contextlib.redirect_stdout(io.StringIO()) as output:
                    ravdess_frames.main()
                self.assertEqual(output.getvalue(), expected)
        # Frames 0, 5, 10, 15, 20: no face in the first one, the last one is black.
        faces = ravdess.frames(self.folder / "faces")
        self.assertEqual([path.name for path, _ in faces], ["0005.png", "0010.png", "0015.png"])


class SplitTest(FolderTest):
    def parts(self, by_person, seed=1):
        return original_pictures.load_ravdess(self.folder, seed, by_person)

    def test_by_person_nobody_is_in_two_parts(self):
        self.draw_ravdess(actors=20)
        split = self.parts(by_person=True)
        people = [{face.person for face in part} for part in (split.training, split.validation, split.test)]
        self.assertEqual([len(part) for part in people], [16, 2, 2])
        self.assertEqual(len(set.union(*people)), 20)

    def test_at_random_pictures_are_apart_and_people_overlap(self):
        self.draw_ravdess(actors=20)
        split = self.parts(by_person=False)
        files = [{face.image for face in part} for part in (split.training, split.validation, split.test)]
        self.assertEqual([len(part) for part in files], [97, 11, 12])
        self.assertEqual(len(set.union(*files)), 120)
        self.assertTrue({face.person for face in split.test} <= {face.person for face in split.training})
        self.assertEqual(np.bincount([face.label for face in split.test]).tolist(), [4, 4, 4])

    def test_the_seed_alone_decides(self):
        self.draw_ravdess(actors=20)
        for by_person in (True, False):
            one, again, other = (self.parts(by_person, seed) for seed in (1, 1, 2))
            self.assertEqual([face.image for face in one.test], [face.image for face in again.test])
            self.assertNotEqual([face.image for face in one.test], [face.image for face in other.test])

    def test_ferplus_and_web_faces_are_alternatives(self):
        emotions = "neutral happiness surprise sadness anger disgust fear contempt unknown not_face".split()
        rows = ["file,split," + ",".join(emotions)]
        for i in range(60):
            part = "train" if i < 40 else "valid"
            self.draw(f"{part}/{i}.webp", seed=i, size=48)
            votes = [10 if e == (0, 1, 3)[i % 3] else 0 for e in range(10)]
            rows.append(f"{part}/{i}.webp,{part}," + ",".join(map(str, votes)))
        (self.folder / "votes.csv").write_text("\n".join(rows) + "\n")
        split = original_pictures.load_ferplus_split(self.folder, seed=1)
        self.assertEqual([len(split.training), len(split.validation), len(split.test)], [36, 4, 20])
        self.assertEqual([face.label for face in split.test[:3]], [0, 2, 1])  # votes for happiness, sadness, neutral
        self.assertEqual(split.training[0].rgb().shape, (48, 48, 3))

        web = ["file,emotion"]
        for person in range(30):
            for i in range(2):
                self.draw(f"Person_{person}_{i}.jpg", seed=[person, i], size=64)
                web.append(f"Person_{person}_{i}.jpg,{('happiness', 'neutral', 'anger')[person % 3]}")
        (self.folder / "labels.csv").write_text("\n".join(web) + "\n")
        split = original_pictures.load_web_faces_split(self.folder, seed=1)
        people = [{face.person for face in part} for part in (split.training, split.validation, split.test)]
        self.assertEqual(len(set.union(*people)), 30)
        self.assertEqual(sum(map(len, people)), 30)


class PicturesTest(FolderTest):
    def setUp(self):
        super().setUp()
        self.draw("01-01-03-01-01-01-01/0000.png", seed=1, size=224)
        self.face = original_pictures.Face(self.folder / "01-01-03-01-01-01-01/0000.png", np.array([1, 0, 0]), "actor-01")

    def test_the_network_is_shown_what_face_node_shows_it(self):
        tensor, target = original_pictures.Pictures([self.face])[0]
        rgb = cv2.imread(str(self.face.image))[:, :, ::-1]
        expected = (rgb / 255 - original_networks.MEAN) / original_networks.STANDARD_DEVIATION
        np.testing.assert_allclose(tensor.permute(1, 2, 0).numpy(), expected, atol=1e-5)
        self.assertEqual(target.tolist(), [1, 0, 0])

    def test_augmentation_depends_on_seed_epoch_and_number_alone(self):
        pictures = original_pictures.Pictures([self.face] * 4, seed=1)
        before = torch.get_rng_state()
        first, second = pictures[1][0], pictures[2][0]
        torch.manual_seed(99)
        torch.testing.assert_close(pictures[1][0], first, rtol=0, atol=0)
        self.assertFalse(torch.equal(first, second))
        pictures.epoch = 1
        self.assertFalse(torch.equal(pictures[1][0], first))
        torch.set_rng_state(before)
        pictures[3]
        self.assertTrue(torch.equal(torch.get_rng_state(), before))  # dropout's random numbers are not touched

    def test_a_damaged_picture_is_named(self):
        path = self.folder / "damaged.png"
        path.write_bytes(b"no picture")
        with self.assertRaisesRegex(ValueError, "damaged.png"):
            original_pictures.Face(path, np.zeros(3), None).rgb()


class NetworkTest(FolderTest):
    def test_the_heads_are_the_originals(self):
        for name in ("densenet121", "resnet101"):
            head = original_networks.make(name).head
            linear = [layer for layer in head if isinstance(layer, torch.nn.Linear)]
            features = original_networks.ARCHITECTURES[name][2]
            self.assertEqual([(layer.in_features, layer.out_features) for layer in linear], [(features, 512), (512, 256), (256, 128), (128, 3)])
            self.assertEqual([type(layer).__name__ for layer in head[:4]], ["Linear", "BatchNorm1d", "ReLU", "Dropout"])
            self.assertEqual({layer.p for layer in head if isinstance(layer, torch.nn.Dropout)}, {0.2})

    def test_vision_transformer_gives_three_logits(self):
        network = original_networks.make("vit-b-16").eval()
        with torch.no_grad():
            self.assertEqual(network(torch.zeros(2, 3, 224, 224)).shape, (2, 3))

    def test_published_weights_load_old_names_and_other_classes_included(self):
        torch.manual_seed(1)
        published = original_networks.torchvision_models().densenet121(weights=None)
        old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value for key, value in published.state_dict().items()}
        self.assertIn("features.denseblock1.denselayer1.norm.1.weight", old)
        path = self.folder / "densenet121.pth"
        torch.save(old, path)
        network = original_networks.make("densenet121", path)
        for key, value in network.backbone.state_dict().items():
            self.assertTrue(torch.equal(value, published.state_dict()[key]), key)

    def test_weights_of_another_network_are_an_error(self):
        path = self.folder / "other.pth"
        torch.save({"conv1.weight": torch.zeros(3)}, path)
        with self.assertRaises(RuntimeError):
            original_networks.make("resnet101", path)


def tiny_network(name, pretrained=None):
    backbone = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 16, 16), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())
    return original_networks.OriginalNetwork(backbone, 16, head_widths=(8,))


class TrainingTest(FolderTest):
    """A whole training, of a tiny network in the place of the original's."""

    def setUp(self):
        super().setUp()
        self.draw_ravdess()
        patch = unittest.mock.patch.object(original_networks, "make", tiny_network)
        patch.start()
        self.addCleanup(patch.stop)

    def train(self, work, out, epochs):
        command = ["x", "--network", "resnet101", "--ravdess", str(self.folder), "--split", "random", "--batch-size", "8", "--device", "cpu"]
        command += ["--work", str(self.folder / work), "--out", str(self.folder / out), "--epochs", str(epochs)]
        with unittest.mock.patch.object(sys, "argv", command), contextlib.redirect_stdout(io.StringIO()):
            train_original.main()
        return json.loads((self.folder / out / "model.json").read_text())

    def test_gone_on_with_it_ends_as_undisturbed(self):
        undisturbed = self.train("work-1", "model-1", epochs=3)
        self.train("work-2", "model-2", epochs=1)
        gone_on = self.train("work-2", "model-2", epochs=3)
        self.assertEqual(gone_on["sha256"], undisturbed["sha256"])
        self.assertEqual(gone_on["training"]["history"], undisturbed["training"]["history"])
        self.assertEqual(len(gone_on["training"]["history"]), 3)

    def test_the_model_folder_is_whole(self):
        card = self.train("work", "model", epochs=1)
        self.assertEqual(card["input"]["shape"], [1, 3, 224, 224])
        self.assertEqual((card["task"], card["labels"]), ("face", ["positive", "neutral", "negative"]))
        figures = card["metrics"]["ravdess"]
        self.assertEqual(figures["pictures"], sum(map(sum, figures["confusion"])))
        for name in ("curves.svg", "reliability.svg"):
            xml.etree.ElementTree.parse(self.folder / "model" / name)
        page = (self.folder / "model/README.md").read_text()
        self.assertIn("same actors", page)
        self.assertNotIn(str(self.folder), page + json.dumps(card))

    def test_a_checkpoint_of_another_run_is_refused(self):
        self.train("work", "model", epochs=1)
        command = ["x", "--network", "resnet101", "--ravdess", str(self.folder), "--split", "random", "--batch-size", "16", "--device", "cpu"]
        command += ["--work", str(self.folder / "work"), "--out", str(self.folder / "model")]
        with unittest.mock.patch.object(sys, "argv", command), contextlib.redirect_stdout(io.StringIO()):
            with self.assertRaisesRegex(SystemExit, "another run"):
                train_original.main()


class FiguresTest(unittest.TestCase):
    def test_temperature_undoes_overconfidence(self):
        random = np.random.default_rng(1)
        logits = random.normal(0, 1.5, (4000, 3))
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        targets = np.eye(3)[[random.choice(3, p=row) for row in shares]]
        self.assertAlmostEqual(original_card.fit_temperature(3 * logits, targets), 3, delta=0.3)

    def test_curves_are_a_picture(self):
        picture = curves([("Loss", {"training": [1.0, 0.5, 0.4], "validation": [1.1, 0.8, 0.9]}), ("One epoch", {"accuracy": [0.5]})])
        paths = xml.etree.ElementTree.fromstring(picture).findall("{http://www.w3.org/2000/svg}path")
        self.assertEqual(len(paths), 3)


if __name__ == "__main__":
    unittest.main()
