# make setup              install what is missing (Debian packages, OpenVINO, networks; needs root or sudo)
# make build              build everything, optimised: the programs are in .build/release
# make run [INPUT=...]    analyse recordings; without INPUT, a demo clip that is made on the spot
#                           make run INPUT=clip.mp4 OUT=results
#                           make run INPUT='first.mp4 "my second clip.mp4"'
# make test               run every test
# make chaos [RUNS=...]  kill and hang processes at random, and compare timelines; 50 runs unless told otherwise.
#                         And kill a writer of the journal, 20 times as often
# make fuzz [MINUTES=...] random input at every decoder and state machine, and at a running pipeline; 10 minutes each unless told otherwise
# make bench [CLIP=...]   measure speed and memory on a recording; without CLIP, on the demo clip
# make clean              delete what was built and what runs left behind
#
# build, run and test set the machine up first, if something is missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup ready build run test chaos fuzz bench clean

export ADREACT_PREFIX ?= /opt/adreact
demoClip = $$("$$ADREACT_PREFIX/python/bin/python" deploy/make-demo-clip.py)

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

setup:
	@deploy/setup.sh

ready:
	@deploy/setup.sh --check >/dev/null || deploy/setup.sh

# Says nothing when there is nothing to build. Planned anew each time: a plan left by `swift build --product` builds protoc, too.
build: ready
	@if [[ -x .build/release/adreact ]]; then swift build -c release --disable-build-manifest-caching --quiet; else swift build -c release; fi

# INPUT is one file's name, or several inputs apart by spaces, those with spaces in quotes.
run: override export INPUT := $(value INPUT)
run: override export OUT := $(value OUT)
run: build
	@if [[ -z $$INPUT ]]; then inputs=("$(demoClip)"); \
	elif [[ -e $$INPUT ]]; then inputs=("$$INPUT"); \
	else words=$$(xargs -n 1 printf '%s\n' <<<"$$INPUT"); readarray -t inputs <<<"$$words"; fi; \
	.build/release/adreact analyze "$${inputs[@]}" $${OUT:+--out "$$OUT"}

# Without testable imports, so that `swift build` and `swift test` share what they compile.
test: build
	@ADREACT_DEMO_CLIP="$(demoClip)" swift test -c release --disable-testable-imports

chaos: build
	@ADREACT_DEMO_CLIP="$(demoClip)" ADREACT_CHAOS_RUNS="$${RUNS:-50}" ADREACT_JOURNAL_KILLS="$$((20 * $${RUNS:-50}))" \
		swift test -c release --disable-testable-imports --filter 'ChaosTests|JournalCrashTests'

fuzz: build
	@ADREACT_DEMO_CLIP="$(demoClip)" ADREACT_FUZZ_MINUTES="$${MINUTES:-10}" \
		swift test -c release --disable-testable-imports --filter 'WireFuzzTests|Hostile(Peer|Evidence|Timeline|PeerProcess)Tests'

bench: build
	@"$$ADREACT_PREFIX/python/bin/python" deploy/bench.py "$(demoClip)"

clean:
	rm -rf .build run out
