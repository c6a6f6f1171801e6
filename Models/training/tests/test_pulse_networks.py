"""Run in `Models/`: python -m unittest training.tests.test_pulse_networks"""

import os
import pathlib
import tempfile
import unittest

import numpy as np
import torch
from torch.nn import functional as F

from training.pulse_networks import facephys, folder, shifted_2d, toolbox_weights


def random_state(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: 0.2 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def deepphys_shapes(side):
    shapes = {"apperance_att_conv1": (1, 32, 1, 1), "apperance_att_conv2": (1, 64, 1, 1)}
    for branch in ("motion", "apperance"):
        for number, (before, after) in enumerate([(3, 32), (32, 32), (32, 64), (64, 64)], 1):
            shapes[f"{branch}_conv{number}"] = (after, before, 3, 3)
    shapes |= {"final_dense_1": (128, 64 * (((side - 2) // 2 - 2) // 2) ** 2), "final_dense_2": (1, 128)}
    return {f"{name}.{part}": shape if part == "weight" else shape[:1] for name, shape in shapes.items() for part in ("weight", "bias")}


def published_two_branches(state, motion, appearance, segment):
    """DeepPhys and TSCAN from the state dictionary alone, frame by frame and plainly: [frames, 3, side, side] each."""

    def layer(name, x, padding=0):
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding)

    def shifted(x):
        if segment is None:
            return x
        out, third = torch.zeros_like(x), x.shape[1] // 3
        for t in range(len(x)):
            if (t + 1) % segment:
                out[t, :third] = x[t + 1, :third]
            if t % segment:
                out[t, third:2 * third] = x[t - 1, third:2 * third]
            out[t, 2 * third:] = x[t, 2 * third:]
        return out

    def stage(motion, appearance, first, mask):
        motion = torch.tanh(layer(f"motion_conv{first}", shifted(motion), 1))
        motion = torch.tanh(layer(f"motion_conv{first + 1}", shifted(motion)))
        appearance = torch.tanh(layer(f"apperance_conv{first + 1}", torch.tanh(layer(f"apperance_conv{first}", appearance, 1))))
        gate = torch.sigmoid(layer(mask, appearance))
        gate = gate / gate.sum((2, 3), keepdim=True) * gate.shape[2] * gate.shape[3] * 0.5
        return F.avg_pool2d(motion * gate, 2), F.avg_pool2d(appearance, 2)

    motion, appearance = stage(motion, appearance, 1, "apperance_att_conv1")
    motion, _ = stage(motion, appearance, 3, "apperance_att_conv2")
    hidden = torch.tanh(F.linear(motion.flatten(1), state["final_dense_1.weight"], state["final_dense_1.bias"]))
    return F.linear(hidden, state["final_dense_2.weight"], state["final_dense_2.bias"])


class ToolboxTest(unittest.TestCase):
    def two_branches(self, side, segment):
        state = random_state(deepphys_shapes(side))
        with tempfile.TemporaryDirectory() as temporary:
            path = pathlib.Path(temporary, "weights.pth")
            torch.save({f"module.{name}": values for name, values in state.items()}, path)
            network = toolbox_weights.two_branches(toolbox_weights.read(path), segment).eval()
        self.assertEqual(network.side, side)
        pictures = folder.example(network, frames=20)
        difference = (pictures[1:] - pictures[:-1]) / (pictures[1:] + pictures[:-1] + 1e-7)
        motion = torch.zeros_like(pictures)
        motion[:-1] = difference / torch.from_numpy(np.asarray(np.std(difference.numpy())))
        appearance = torch.from_numpy((pictures.numpy() - pictures.numpy().mean()) / pictures.numpy().std())
        with torch.no_grad():
            expected = published_two_branches(state, motion.permute(0, 3, 1, 2), appearance.permute(0, 3, 1, 2), segment)
            found = network.derivative(pictures)
        self.assertLess((found - expected).abs().max(), 1e-4)

    def test_deepphys_at_36_and_72_pixels(self):
        self.two_branches(36, None)
        self.two_branches(72, None)

    def test_tscan_shifts_within_segments(self):
        self.two_branches(36, 10)

    def test_physnet_has_a_place_for_every_weight(self):
        shapes = {}
        for number, (before, after) in enumerate([(3, 16), (16, 32), (32, 64)] + [(64, 64)] * 6, 1):
            shapes[f"ConvBlock{number}.0.weight"] = (after, before, 1, 5, 5) if number == 1 else (after, before, 3, 3, 3)
            shapes |= {f"ConvBlock{number}.0.bias": (after,)} | {
                f"ConvBlock{number}.1.{part}": (after,) for part in ("weight", "bias", "running_mean", "running_var")}
        for name in ("upsample", "upsample2"):
            shapes |= {f"{name}.0.weight": (64, 64, 4, 1, 1), f"{name}.0.bias": (64,)} | {
                f"{name}.1.{part}": (64,) for part in ("weight", "bias", "running_mean", "running_var")}
        shapes |= {"ConvBlock10.weight": (1, 64, 1, 1, 1), "ConvBlock10.bias": (1,)}
        state = random_state(shapes)
        for name in list(state):
            if name.endswith("running_var"):
                state[name] = state[name].abs() + 0.5
        last = state["ConvBlock10.bias"].clone()
        network = toolbox_weights.physnet(dict(state)).eval()
        self.assertTrue(torch.equal(network.last.bias, last))
        self.assertTrue(network.is_derivative)
        with torch.no_grad():
            self.assertEqual(network(folder.example(network, frames=20)).shape, (20, 1))
        with self.assertRaises(ValueError):
            toolbox_weights.physnet(state | {"another.weight": last})

    def test_a_dense_layer_of_no_known_picture_is_refused(self):
        shapes = deepphys_shapes(36) | {"final_dense_1.weight": (128, 3000)}
        with self.assertRaises(ValueError):
            toolbox_weights.two_branches(random_state(shapes), None)


class RecurrenceTest(unittest.TestCase):
    """FacePhys's triangular products against the recurrences that they stand for, step by step."""

    def test_running_mean(self):
        rng = torch.Generator().manual_seed(1)
        x, decay, start = torch.randn(4, 60, 7, generator=rng), torch.rand(4, generator=rng), torch.randn(4, 7, generator=rng)
        found = facephys.RunningMean(60)(x, decay, start)
        mean = start
        for t in range(60):
            mean = (1 - decay)[:, None] * x[:, t] + decay[:, None] * mean
            self.assertLess((found[:, t] - mean).abs().max(), 1e-5)

    def test_state_space(self):
        rng = torch.Generator().manual_seed(2)
        module = facephys.StateSpace(channels=8, head=4, states=6)
        for parameter in module.parameters():
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=rng)
        x = torch.randn(25, 8, generator=rng)
        with torch.no_grad():
            self.assertLess((module(x) - self.stepwise(module, x)).abs().max(), 1e-4)

    def stepwise(self, module, x):
        state = torch.complex(module.first_real, module.first_imaginary)
        rate = torch.complex(-torch.exp(module.log_decay), module.frequency)
        past, rows = list(module.first_inputs), []
        for row in x:
            gate, mixed, step = module.into(row).split([2 * module.inner, module.inner + 2 * module.states, module.heads])
            past = past[1:] + [mixed]
            local = (torch.stack(past) * module.local.weight[:, 0].T).sum(0) + module.local.bias
            values, b, c = F.relu6(local).split([module.inner, module.states, module.states])
            step = torch.exp(step + module.step_bias).clamp(0, 6)
            values = values.reshape(module.heads, module.head)
            state = state * torch.exp(step * rate)[:, None, None] + (step[:, None] * values)[:, :, None] * b
            y = (state * c).sum(-1)
            y = torch.stack([y.real, y.imag], dim=1) + torch.stack([values, 0 * values], dim=1) * module.direct.reshape(-1, 2, 1)
            y = y.flatten() * F.relu6(gate)
            rows.append(module.out(y * torch.rsqrt(y.square().mean() + 1e-5) * module.norm))
        return torch.stack(rows)


class FolderTest(unittest.TestCase):
    def test_the_file_gives_what_the_network_gives(self):
        torch.manual_seed(3)
        network = shifted_2d.TSCAN()
        with tempfile.TemporaryDirectory() as temporary:
            out = pathlib.Path(temporary, "network")
            difference = folder.export(
                network, folder.example(network), out, name="tscan-untrained", architecture="TSCAN", training={}, readme="")
            self.assertLess(difference, 1e-4)
            self.assertEqual(sorted(os.listdir(out)), ["README.md", "model.json", "model.onnx"])


if __name__ == "__main__":
    unittest.main()
