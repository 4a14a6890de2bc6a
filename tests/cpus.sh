#!/usr/bin/env bash
# The same bytes on other processors, emulated by qemu-user: run by `make cpus` (Debian or Ubuntu,
# as root, for the packages). Prints a line for each; all must begin with the same hash.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$PWD/.venv/bin/python
command -v qemu-aarch64 >/dev/null || { apt-get update -qq; apt-get install -y -qq qemu-user; }
expected=$("$python" tests/cross.py)
echo "native   $expected"
check() { # name, then the command
    local name=$1 found
    shift
    found=$("$@" 2>/dev/null | tail -1)
    echo "$name $found"
    [ "${found%% *}" = "${expected%% *}" ] || { echo "$name differs"; exit 1; }
}
check "Haswell " qemu-x86_64 -cpu Haswell "$python" tests/cross.py
# OpenBLAS takes the emulated Nehalem for more than it is unless it is told
check "Nehalem " env OPENBLAS_CORETYPE=Nehalem qemu-x86_64 -cpu Nehalem "$python" tests/cross.py

arm=$PWD/build/arm64
if [ ! -d "$arm/site/pluggy" ]; then
    mkdir -p "$arm/deb" "$arm/root"
    dpkg --add-architecture arm64
    apt-get update -qq
    (cd "$arm/deb" && apt-get download -qq libc6:arm64 libgcc-s1:arm64 libstdc++6:arm64 \
        python3.11-minimal:arm64 libpython3.11-minimal:arm64 libpython3.11-stdlib:arm64 \
        libexpat1:arm64 zlib1g:arm64 libssl3:arm64 libffi8:arm64 liblzma5:arm64 libbz2-1.0:arm64)
    for package in "$arm"/deb/*.deb; do dpkg -x "$package" "$arm/root"; done
    # the oldest supported onnxruntime; the newest does not start under qemu 7
    "$python" -m pip download -q --no-deps --only-binary=:all: --python-version 3.11 \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
        --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 -d "$arm/wheels" \
        numpy onnx onnxruntime==1.20.1 protobuf ml_dtypes typing_extensions safetensors flatbuffers packaging pluggy
    for wheel in "$arm"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$arm/site"; done
fi
check "aarch64 " env PYTHONPATH="$arm/site" PYTHONHOME="$arm/root/usr" \
    qemu-aarch64 -L "$arm/root" "$arm/root/usr/bin/python3.11" tests/cross.py
