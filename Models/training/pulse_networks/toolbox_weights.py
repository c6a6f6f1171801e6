"""Weights of rPPG-Toolbox (`.pth`) into the modules of this package, by their published names."""

import torch

from .physnet import PhysNet
from .shifted_2d import ToolboxNetwork


def read(path):
    """The state dictionary, without the `module.` that training on several GPUs puts before each name."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name.removeprefix("module."): values.float() for name, values in state.items() if values.is_floating_point()}


def two_branches(state, segment):
    """DeepPhys (`segment` None) or TSCAN. The size of the picture follows from that of the dense layer."""
    inputs = state["final_dense_1.weight"].shape[1]
    side = next((side for side in (36, 72, 96, 128) if 64 * (((side - 2) // 2 - 2) // 2) ** 2 == inputs), None)
    if side is None:
        raise ValueError(f"a dense layer of {inputs} inputs fits no known size of picture")
    names = {"mask1": "apperance_att_conv1", "mask2": "apperance_att_conv2", "dense1": "final_dense_1", "dense2": "final_dense_2"}
    for number in range(1, 5):
        names[f"motion{number}"] = f"motion_conv{number}"
        names[f"appearance{number}"] = f"apperance_conv{number}"  # So spelt there.
    return filled(ToolboxNetwork(side, segment), state, names)


def physnet(state):
    # The layers adapt to any picture that survives four halvings; the published weights are for 72 pixels.
    names = {"last": "ConvBlock10"}
    for number in range(1, 10):
        names[f"blocks.{number - 1}"] = f"ConvBlock{number}"
    names |= {"doubling1": "upsample", "doubling2": "upsample2"}
    return filled(PhysNet(72, from_toolbox=True), state, names)


def filled(network, state, names):
    """The network with the values of `state`, where our layer `key` has the name `names[key]`. Nothing may be left over."""
    own = {}
    for key in network.state_dict():
        if key.endswith("num_batches_tracked"):
            own[key] = network.state_dict()[key]
            continue
        layer = next(layer for layer in names if key.startswith(layer + "."))
        own[key] = state.pop(names[layer] + key.removeprefix(layer))
    if state:
        raise ValueError(f"weights without a place in the network: {sorted(state)}")
    network.load_state_dict(own)
    return network
