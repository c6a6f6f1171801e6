"""Measures what the whole pipeline costs: wall clock, processor time and memory of each process, start-up included.

    make bench [CLIP=recording.mp4] [RUNS=3]

What three face-nodes make of it, beside one: faster only where there are cores for them. And what share of the machine it takes live.

Figures are of this machine at this moment: compare ratios (times real time), and run it on a quiet machine.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PROGRAMS = ".build/release"
TICKS = os.sysconf("SC_CLK_TCK")


def duration_seconds(clip):
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "json", clip]
    return float(json.loads(subprocess.check_output(probe))["format"]["duration"])


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            found += [int(child) for child in file.read().split()]
    return found


def look(pid):
    """Name, processor seconds so far, highest resident size so far in MB."""
    with open(f"/proc/{pid}/stat") as file:
        name, rest = re.fullmatch(r"\d+ \((.*)\) (.*)", file.read().strip()).groups()
    fields = rest.split()
    with open(f"/proc/{pid}/status") as file:
        peak = re.search(r"VmHWM:\s+(\d+)", file.read())
    return name, (int(fields[11]) + int(fields[12])) / TICKS, int(peak.group(1)) / 1024 if peak else 0.0


def analyse(clip):
    """Wall seconds, and by process name its processor seconds and peak MB."""
    seen = {}
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        program = subprocess.Popen([f"{PROGRAMS}/adreact", "analyze", clip, "--out", folder], stdout=subprocess.DEVNULL)
        ended = threading.Event()

        def watch():
            while not ended.wait(0.05):
                try:
                    for pid in [program.pid, *children(program.pid)]:
                        name, seconds, peak = look(pid)
                        seen[name] = (seconds, max(peak, seen.get(name, (0, 0))[1]))
                except (FileNotFoundError, ProcessLookupError, AttributeError):
                    pass  # a process ended while it was looked at

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = program.wait()
        wall = time.monotonic() - started
        ended.set()
        watcher.join()
    if code != 0:
        sys.exit(f"bench: adreact analyze {clip} ended with {code}")
    return wall, seen


def run_pipeline(clip, face_nodes=1, demuxer=()):
    """The long-running pipeline on one recording, from the start of its processes to the end of its timeline: wall clock and
    processor time in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            f"ADREACT_{end.upper()}_ENDPOINT": f"ipc://{folder}/{end}" for end in ("media", "evidence", "timeline")
        }
        started = time.monotonic()
        commands = [["fusion-node", "--journal", f"{folder}/journal.sqlite"], ["audio-node"], ["rppg-node"], ["demuxer", *demuxer, clip]]
        commands += [["face-node"]] * face_nodes
        programs = [
            subprocess.Popen([f"{PROGRAMS}/{name}", *arguments], env=environment, stderr=subprocess.DEVNULL) for name, *arguments in commands
        ]
        try:
            sink = [f"{PROGRAMS}/sink", "--exit-after", "1"]
            subprocess.run(sink, env=environment, stdout=subprocess.DEVNULL, check=True)
            return time.monotonic() - started, sum(look(program.pid)[1] for program in programs)
        finally:
            for program in programs:
                program.kill()
                program.wait()


def main():
    clip = os.environ.get("CLIP") or sys.argv[1]
    runs = int(os.environ.get("RUNS") or 3)
    length = duration_seconds(clip)
    analyse(clip)  # warms the disk cache and the cache of compiled networks
    results = [analyse(clip) for _ in range(runs)]
    walls = sorted(wall for wall, _ in results)
    middle = statistics.median(walls)
    print(f"{os.path.basename(clip)}: {length:.1f} s, {os.cpu_count()} cores, {runs} runs, load {os.getloadavg()[0]:.1f}")
    print(f"wall clock {middle:.2f} s ({walls[0]:.2f} to {walls[-1]:.2f}): {length / middle:.1f} times real time")
    print(f"{'process':14} {'processor s':>11} {'peak MB':>8}")
    for name in sorted(results[0][1]):
        seconds = statistics.median(seen[name][0] for _, seen in results if name in seen)
        peak = max(seen[name][1] for _, seen in results if name in seen)
        print(f"{name:14} {seconds:11.2f} {peak:8.0f}")
    total = statistics.median(sum(seconds for seconds, _ in seen.values()) for _, seen in results)
    print(f"{'all':14} {total:11.2f}")
    for count in (1, 3):
        seconds = statistics.median(run_pipeline(clip, count)[0] for _ in range(runs))
        print(f"pipeline with {count} face-node{'s' if count > 1 else ''}: {seconds:.2f} s")
    wall, busy = run_pipeline(clip, demuxer=["--realtime"])
    print(f"live, at the recording's own pace: {busy:.2f} s of processor time in {wall:.2f} s, {busy / wall / os.cpu_count():.0%} of {os.cpu_count()} cores")


main()
