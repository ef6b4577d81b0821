#!/usr/bin/env bash
# Fetches kafka-python's source distribution, for the integration tests in it.
# Usage: fetch.sh PYTHON FOLDER
set -euo pipefail

VERSION=3.0.12
python=${1:?a Python with pip}
folder=${2:?the folder to unpack in}
mark="$folder/kafka_python-$VERSION"
[ -e "$mark/test/integration" ] && exit 0

rm -rf "$folder"
mkdir -p "$folder"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps \
    --no-binary :all: --dest "$folder" "kafka-python==$VERSION"
tar xzf "$folder/kafka_python-$VERSION.tar.gz" -C "$folder"
