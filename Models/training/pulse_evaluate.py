"""Measures `rppg-node measure` against known heart rates, and fits its confidence.

    python pulse_evaluate.py --node ../../.build/release/rppg-node --semisynthetic /tmp/pulse-semisynthetic \
        --welltory welltory-ppg [--wave-models FOLDER ...] [--fit]

--semisynthetic  what pulse_semisynthetic.py wrote: a table of all methods side by side, then each in detail
--wave-models    networks to compare with, besides
--welltory       recordings of finger and camera, with the RR intervals of a chest strap
--ubfc           UBFC-rPPG: face videos with the wave of a finger sensor
--fit            also fits the constants of ConfidenceModel (logistic regression) and prints them; the confidence that is reported then is
                 that of a fit which has not seen the clip's source (leave one source out)
"""

import argparse
import hashlib
import json
import pathlib
import subprocess

import numpy as np

import pulse_recordings
import pulse_semisynthetic

TOLERANCE_BPM = 5
WINDOW_SECONDS = 12
TERMS = ["signalToNoiseDecibels", "methodAgreement", "regionAgreement", "halvesAgreement", "beatAgreement", "beatRegularity"]


def measure(node, arguments):
    """One JSON object for each input."""
    output = subprocess.run([node, "measure", "--details", *map(str, arguments)], capture_output=True, check=True, text=True)
    return [json.loads(line) for line in output.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node", required=True, type=pathlib.Path)
    parser.add_argument("--semisynthetic", type=pathlib.Path)
    parser.add_argument("--welltory", type=pathlib.Path)
    parser.add_argument("--ubfc", type=pathlib.Path)
    parser.add_argument("--wave-models", nargs="+", default=[])
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    if options.welltory:
        welltory(options)
    if options.ubfc:
        ubfc(options)
    if options.semisynthetic:
        semisynthetic(options)


def welltory(options):
    folders = sorted(options.welltory.glob("subject_*"))
    results = measure(options.node, ["--rgb", *(folder / "PPG.csv" for folder in folders)])
    errors, medians, deviations = [], [], []
    for folder, result in zip(folders, results):
        intervals = np.array((folder / "RR.txt").read_text().split(), float)
        truth = 60000 / intervals.mean()
        rate = result["heartRateBPM"]
        if rate is not None:
            errors.append(abs(rate - truth))
        median, count = beat_error(result["beatIntervals"], intervals)
        medians.append(median)
        sdnn, rmssd = intervals.std(ddof=1), np.sqrt(np.mean(np.diff(intervals) ** 2))
        deviations.append((abs(result["sdnnMilliseconds"] - sdnn), abs(result["rmssdMilliseconds"] - rmssd)))
        print(f"{folder.name}: RR {truth:.1f} bpm, measured {rate}, confidence {result['confidence']}; {count} beat intervals, "
              f"median absolute error {median:.0f} ms; SDNN {sdnn:.0f} ms, measured {result['sdnnMilliseconds']}; "
              f"RMSSD {rmssd:.0f} ms, measured {result['rmssdMilliseconds']}")
    print(f"finger: {len(errors)} of {len(folders)} reported, mean absolute error {np.mean(errors):.2f} bpm; beat intervals: median "
          f"absolute error {np.median(medians):.0f} ms in the median recording, {max(medians):.0f} ms in the worst; median error of SDNN "
          f"{np.median(deviations, axis=0)[0]:.0f} ms, of RMSSD {np.median(deviations, axis=0)[1]:.0f} ms")


def beat_error(found, truth):
    """Median absolute error (ms) of the intervals, and how many have a partner. The strap's clock starts elsewhere: the shift at
    which most intervals have one, and agree best, is the shift of the clocks."""
    ends = np.array([interval["endSeconds"] for interval in found])
    lengths = np.array([interval["milliseconds"] for interval in found])
    strap = np.cumsum(truth) / 1000
    best = (np.inf, np.nan, 0)
    for shift in np.arange(-20, 40, 0.05):
        after = np.clip(np.searchsorted(strap + shift, ends), 1, len(strap) - 1)
        nearest = np.where(abs(strap[after] + shift - ends) < abs(strap[after - 1] + shift - ends), after, after - 1)
        partnered = abs(strap[nearest] + shift - ends) < 0.4
        if partnered.mean() < 0.7:
            continue
        error = np.median(abs(truth[nearest] - lengths)[partnered])
        best = min(best, (error + 20 * (1 - partnered.mean()), error, int(partnered.sum())))
    return best[1:]


def ubfc(options):
    errors, windows = [], 0
    for recording in pulse_recordings.load_ubfc(options.ubfc):
        (result,) = measure(options.node, [recording.video])
        for window in result["windows"]:
            inside = (recording.times >= window["endSeconds"] - WINDOW_SECONDS) & (recording.times < window["endSeconds"])
            if "evidence" not in window or inside.sum() < 100:
                continue
            windows += 1
            if window["heartRateBPM"] is not None:
                errors.append(abs(window["heartRateBPM"] - contact_rate(recording.times[inside], recording.wave[inside])))
    print(f"UBFC-rPPG: {len(errors)} of {windows} windows reported, mean absolute error {np.mean(errors):.2f} bpm")


def contact_rate(times, wave):
    grid = np.arange(times[0], times[-1], 1 / pulse_semisynthetic.RATE)
    return pulse_semisynthetic.spectral_rate(np.interp(grid, times, wave))


def semisynthetic(options):
    truth = json.loads((options.semisynthetic / "truth.json").read_text())
    models = ["--wave-model", *options.wave_models] if options.wave_models else []
    # Of this build of the node, and these networks.
    key = hashlib.sha256(options.node.read_bytes() + "\n".join(models).encode()).hexdigest()[:16]
    cache = options.semisynthetic / f"measured-{key}.json"
    results = json.loads(cache.read_text()) if cache.exists() else {}
    for name in truth:
        if name not in results:
            results[name] = measure(options.node, [options.semisynthetic / name, "--compare", *models])
            cache.write_text(json.dumps(results))
    methods = {}
    for name, settings in truth.items():
        for result in results[name]:
            methods.setdefault(result["method"], []).extend(judged_windows(settings, result))
    print("| method | reported: still | low motion | high motion | MAE of those, bpm | within 5 bpm | best guess within 5 bpm | reported without a pulse |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for method, judged in methods.items():
        print_row(method, judged)
    for method, judged in methods.items():
        print(f"\n{method}")
        if options.fit:
            fit(judged)
        report("as built", judged)


def judged_windows(settings, result):
    """The windows with enough skin to be judged: with what is true of them, whether the best guess is right, and the confidence."""
    for window in result["windows"]:
        end = window["endSeconds"]
        if end != int(end) or end < WINDOW_SECONDS or "evidence" not in window:
            continue
        truth, guess = settings.get("windows", {}).get(str(int(end))), window.get("bestGuessBPM")
        yield dict(
            settings=settings, window=window, kind=settings["kind"], source=settings["source"], truth=truth,
            right=truth is not None and guess is not None and abs(guess - truth) <= TOLERANCE_BPM, confidence=window["confidence"])


def print_row(method, judged):
    pulse = [row for row in judged if row["kind"] == "pulse"]
    without = [row for row in judged if row["kind"] != "pulse"]

    def reported(rows):
        return np.mean([row["window"]["heartRateBPM"] is not None for row in rows]) if rows else np.nan

    errors = np.array([abs(row["window"]["heartRateBPM"] - row["truth"]) for row in pulse if row["window"]["heartRateBPM"] is not None])
    by_motion = [f"{reported([row for row in pulse if row['settings']['motion'] == motion]):.0%}" for motion in ("none", "low", "high")]
    print(f"| {method} | {' | '.join(by_motion)} | {errors.mean() if len(errors) else np.nan:.2f} | {np.mean(errors <= TOLERANCE_BPM):.0%} | "
          f"{np.mean([row['right'] for row in pulse]):.0%} | {sum(row['window']['heartRateBPM'] is not None for row in without)} of {len(without)} |")


def report(title, judged):
    def line(name, chosen):
        reported = [row for row in chosen if row["confidence"] >= 0.5]
        errors = [abs(row["window"]["bestGuessBPM"] - row["truth"]) for row in reported if row["truth"]]
        guesses = [row["right"] for row in chosen]
        if chosen:
            print(f"  {name:24} windows {len(chosen):4}, reported {len(reported) / len(chosen):5.1%}, mean absolute error "
                  f"{np.mean(errors) if errors else float('nan'):5.2f} bpm, within 5 bpm {np.mean([e <= 5 for e in errors]) if errors else float('nan'):6.1%}, "
                  f"best guess right {np.mean(guesses):5.1%}")

    print(title)
    pulse = [row for row in judged if row["kind"] == "pulse"]
    line("pulse", pulse)
    for key in ("motion", "light", "crf", "strength", "noise", "tone", "source"):
        for value in sorted({row["settings"][key] for row in pulse}, key=str):
            line(f"{key} {value}", [row for row in pulse if row["settings"][key] == value])
    for kind in ("photograph", "print"):
        line(kind, [row for row in judged if row["kind"] == kind])
    for low in (0.5, 0.6, 0.7, 0.8, 0.9):
        chosen = [row["right"] for row in judged if low <= row["confidence"] < low + 0.1]
        if chosen:
            print(f"  confidence {low:.1f}-{low + 0.1:.1f}: {len(chosen)} windows, {np.mean(chosen):.0%} right")


def fit(judged):
    from sklearn.linear_model import LogisticRegression

    def features(row):
        values = [row["window"]["evidence"].get(term) or 0 for term in TERMS]
        regions, regularity = row["window"]["evidence"].get("regionAgreement"), values[5]
        # As ConfidenceModel.regularAgreement weighs it.
        lesser = min(0.5 if regions is None else max(0, regions), np.clip((regularity - 0.7) / 0.25, 0, 1))
        return [values[1], values[3], lesser]

    x = np.array([features(row) for row in judged])
    y = np.array([row["right"] for row in judged])
    sources = np.array([row["source"] for row in judged])
    model = LogisticRegression(C=1.0, max_iter=5000).fit(x, y)
    print("constant", round(model.intercept_[0], 3), dict(zip(["methodAgreement", "halvesAgreement", "regularAgreement"], model.coef_[0].round(3))))
    held_out = []
    for source in sorted(set(sources)):
        part = LogisticRegression(C=1.0, max_iter=5000).fit(x[sources != source], y[sources != source])
        for row, confidence in zip([r for r in judged if r["source"] == source],
                                   part.predict_proba(x[sources == source])[:, 1]):
            held_out.append(row | dict(confidence=confidence))
    report("confidence fitted without the clip's source", held_out)


if __name__ == "__main__":
    main()
