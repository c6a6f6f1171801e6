"""A trainable network from an exported model.onnx, in which every batch norm is folded into the convolution before it."""

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from network import SamePadConv
from pictures import augmented, standardised

BATCHES, BATCH_SIZE = 32, 64


def convolutions(path):
    """(weight, bias) of the exported convolutions, and of the head, in the order in which they run."""
    graph = onnx.load(path).graph
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    pairs = [[values[name] for name in node.input[1:3]] for node in graph.node if node.op_type == "Conv"]
    heads = [[values[name] for name in node.input[1:3]] for node in graph.node if node.op_type == "Gemm"]
    return pairs, heads[0]


@torch.no_grad()
def load_exported(network, path, training, size, seed):
    """Fills `network` so that, evaluated, it gives the exported network's logits times its temperature, with batch norms
    that can be trained: their means and variances are measured on augmented pictures of `size` pixels, their scales and
    shifts undo them."""
    pairs, (head_weight, head_bias) = convolutions(path)
    layers = [m for m in network.backbone.modules() if isinstance(m, SamePadConv)]
    norms = [m for m in network.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]  # each follows its convolution
    if len(pairs) != len(layers):
        raise ValueError(f"{path}: {len(pairs)} convolutions, not {len(layers)}")

    # Until measured, a batch norm only adds the exported bias.
    for layer, norm, (weight, bias) in zip(layers, norms, pairs):
        layer.weight.copy_(torch.from_numpy(weight.copy()))
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.weight.fill_(1)
        norm.bias.copy_(torch.from_numpy(bias.copy()))
    network.head.weight.copy_(torch.from_numpy(head_weight.copy()))
    network.head.bias.copy_(torch.from_numpy(head_bias.copy()))

    sums = {id(layer): [0.0, 0.0] for layer in layers}

    def measure(layer, inputs, output):
        sums[id(layer)][0] += output.double().mean(dim=(0, 2, 3))
        sums[id(layer)][1] += output.double().square().mean(dim=(0, 2, 3))

    hooks = [layer.register_forward_hook(measure) for layer in layers]
    network.eval()
    for batch in range(BATCHES):
        random = np.random.default_rng([seed, batch])
        chosen = random.integers(0, len(training), BATCH_SIZE)
        network(torch.from_numpy(standardised([augmented(training.images[i], size, random) for i in chosen])))
    for hook in hooks:
        hook.remove()
    for layer, norm in zip(layers, norms):
        mean, square = (value / BATCHES for value in sums[id(layer)])
        variance = (square - mean.square()).clamp(min=0).float()
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)
