"""Weights of Keras files (`.weights.h5`) into the modules of this package, by their place in the file."""

import numpy as np
import torch


class KerasFile:
    """Reads arrays by the path of their layer; remembers which it has not been asked for."""

    def __init__(self, path):
        import h5py

        self.arrays = {}
        with h5py.File(path, "r") as file:
            file.visititems(lambda name, item: self.arrays.__setitem__(name, item[()].astype(np.float32)) if hasattr(item, "shape") else None)
        self.unread = set(self.arrays)

    def array(self, layer, number):
        name = f"{layer}/vars/{number}"
        self.unread.discard(name)
        return torch.from_numpy(self.arrays[name])

    def set_parameters(self, layer, *parameters):
        for number, parameter in enumerate(parameters):
            parameter.data.copy_(self.array(layer, number).reshape(parameter.shape))

    def set_convolution(self, layer, module):
        """Keras: [kernel..., in, out]; of a transposed one [kernel..., out, in]. PyTorch: [out, in, kernel...], [in, out, kernel...]."""
        kernel = self.array(layer, 0)
        module.weight.data.copy_(kernel.permute(kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2)))
        module.bias.data.copy_(self.array(layer, 1))

    def set_dense(self, layer, module, picture=None):
        """`picture`: (channels, height, width) of what is flattened before it; Keras flattens with the channels last."""
        weight = self.array(layer, 0).T
        if picture:
            channels, height, width = picture
            weight = weight.reshape(-1, height, width, channels).permute(0, 3, 1, 2).flatten(1)
        module.weight.data.copy_(weight)
        if module.bias is not None:
            module.bias.data.copy_(self.array(layer, 1))

    def set_norm(self, layer, module):
        """Gain, bias, running mean, running variance."""
        for number, values in enumerate([module.weight, module.bias, module.running_mean, module.running_var]):
            values.data.copy_(self.array(layer, number))

    def check_all_read(self):
        if self.unread:
            raise ValueError(f"weights without a place in the network: {sorted(self.unread)}")


def load_tscan(file, network):
    for keras, branch in (("d", "motion"), ("g", "appearance")):
        for number, (part, layer) in enumerate([("1", "conv2d"), ("1", "conv2d_1"), ("2", "conv2d"), ("2", "conv2d_1")], 1):
            file.set_convolution(f"inner/{keras}{part}/layers/{layer}", getattr(network, f"{branch}{number}"))
    file.set_convolution("inner/attn1/layers/conv2d", network.mask1)
    file.set_convolution("inner/attn2/layers/conv2d", network.mask2)
    side = ((network.side - 2) // 2 - 2) // 2
    file.set_dense("inner/d/layers/dense", network.dense1, picture=(64, side, side))
    file.set_dense("inner/d/layers/dense_1", network.dense2)


def load_efficientphys(file, network):
    file.set_norm("bn", network.norm)
    for number, layer in enumerate(["conv2d", "conv2d_1", "conv2d_2", "conv2d_3"], 1):
        file.set_convolution(f"layers/{layer}", getattr(network, f"motion{number}"))
    file.set_convolution("attc1", network.mask1)
    file.set_convolution("attc2", network.mask2)
    side = ((network.side - 2) // 2 - 2) // 2
    file.set_dense("dense1", network.dense1, picture=(64, side, side))
    file.set_dense("dense2", network.dense2)


def load_physnet(file, network):
    for number, block in enumerate(network.blocks, 1):
        file.set_convolution(f"ConvBlock{number}/layers/conv3d", block[0])
        file.set_norm(f"ConvBlock{number}/layers/batch_normalization", block[1])
    for layer, block in (("sequential_9", network.doubling1), ("sequential_10", network.doubling2)):
        file.set_convolution(f"layers/{layer}/layers/conv3d_transpose", block[0])
        file.set_norm(f"layers/{layer}/layers/batch_normalization", block[1])
    file.set_convolution("convBlock10", network.last)


def load_facephys(file, network):
    for number, stage in enumerate(network.stages):
        path = "layers/sequential/layers/ssc_block" + (f"_{number}" if number else "")
        file.set_dense(f"{path}/in_proj", stage.into)
        file.set_convolution(f"{path}/ds", stage.halving)
        for layer, block in (("ss_conv", stage.first), ("ss_conv_1", stage.second)):
            part = f"{path}/ssc/layers/{layer}"
            file.set_convolution(f"{part}/conv1/layers/conv2d", block.conv1)
            file.set_dense(f"{part}/conv1/layers/dense", block.widen)
            file.set_convolution(f"{part}/conv2", block.conv2)
            file.set_dense(f"{part}/proj", block.narrow)
            load_state_space(file, f"{part}/ssm", block.state_space)
            temporal = block.temporal
            file.set_parameters(f"{part}/tn", temporal.log_half_life, temporal.gain, temporal.bias)
            for number, pixels in ((3, temporal.mean), (4, temporal.log_square)):
                pixels.data.copy_(file.array(f"{part}/tn", number).flatten(0, 3).T)
    file.set_dense("layers/sequential_1/layers/dense", network.out)
    load_state_space(file, "head/layers/ss_mr_ppg", network.head1)
    load_state_space(file, "head/layers/ss_mr_ppg_1", network.head2)
    file.set_dense("head/layers/dense", network.last)


def load_state_space(file, path, module):
    file.set_dense(f"{path}/in_proj", module.into)
    file.set_dense(f"{path}/out_proj", module.out)
    file.set_parameters(f"{path}/norm", module.norm)
    # Depthwise: [1, length, channels, 1].
    module.local.weight.data.copy_(file.array(f"{path}/conv1d", 0)[0, :, :, 0].T.unsqueeze(1))
    module.local.bias.data.copy_(file.array(f"{path}/conv1d", 1))
    decay_and_frequency = file.array(path, 0)
    module.log_decay.data.copy_(decay_and_frequency[:, 0])
    module.frequency.data.copy_(decay_and_frequency[:, 1])
    module.step_bias.data.copy_(file.array(path, 1))
    module.direct.data.copy_(file.array(path, 2))
    module.first_inputs.data.copy_(file.array(path, 3)[0])
    state = file.array(path, 4)[0, 0]
    module.first_real.data.copy_(state[..., 0])
    module.first_imaginary.data.copy_(state[..., 1])
