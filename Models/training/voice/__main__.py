"""One command per model, run in `Models/`; a command that was stopped goes on where it was.

    python -m training.voice audionet-ct --ravdess DIR
    python -m training.voice audionet-cl --ravdess DIR
"""

import argparse
from pathlib import Path

import torch


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.voice", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio-node", type=Path, default=Path("../.build/release/audio-node"), help="the built program that computes the features")
    parser.add_argument("--work", type=Path, default=Path("../out/training/voice"), help="folder for features and checkpoints")
    parser.add_argument("--threads", type=int, default=2)
    commands = parser.add_subparsers(dest="model", required=True)
    for name in ("audionet-ct", "audionet-cl"):
        command = commands.add_parser(name)
        command.add_argument("--ravdess", type=Path, required=True, help="folder of the RAVDESS speech clips")
        command.add_argument("--out", type=Path, default=Path(f"voice-{name}"), help="model folder to write")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    if arguments.model.startswith("audionet"):
        from .train_audionet import train

        train(arguments.model, arguments.ravdess, arguments.audio_node, arguments.work, arguments.out)


if __name__ == "__main__":
    main()
