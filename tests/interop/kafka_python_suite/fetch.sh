#!/usr/bin/env bash
# Fetches kafka-python's source distribution, for the integration tests in it.
# Usage: fetch.sh PYTHON FOLDER
set -euo pipefail

VERSION=3.0.12
python=${1:?a Python with pip}
folder=${2:?the folder to unpack in}
sources="$folder/kafka_python-$VERSION"
ours=$(cd "$(dirname "$0")" && pwd)
mark="$sources/complete"
[ -e "$mark" ] && exit 0

rm -rf "$folder"
mkdir -p "$folder"
timeout 120 "$python" -m pip download --quiet --disable-pip-version-check --no-deps \
    --no-binary :all: --dest "$folder" "kafka-python==$VERSION"
tar xzf "$folder/kafka_python-$VERSION.tar.gz" -C "$folder"

# The distribution lacks two files: without the first, `test` means the standard library's own
# package, and without the second, the fixtures cannot be imported.
touch "$sources/test/__init__.py"
cp "$ours/service.py" "$sources/test/service.py"
touch "$mark"
