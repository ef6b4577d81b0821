#!/usr/bin/env bash
# Builds librdkafka's own test suite into a folder, from the sources that its npm package carries.
# Usage: build.sh FOLDER. Needs npm, make, a C and a C++ compiler.
set -euo pipefail

VERSION=1.10.1
folder=${1:?the folder to build in}
mark="$folder/built-$VERSION"
[ -e "$mark" ] && exit 0

rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
mark="$folder/built-$VERSION"
cd "$folder"
npm pack --silent "@confluentinc/kafka-javascript@$VERSION" >/dev/null
tar xzf ./*.tgz package/deps/librdkafka --strip-components=2
rm ./*.tgz
cd librdkafka
./configure --disable-ssl --disable-gssapi --disable-curl --disable-zstd --disable-lz4-ext >../build.log
make -j"$(nproc)" libs >>../build.log 2>&1
make -j"$(nproc)" -C tests test-runner >>../build.log 2>&1
touch "$mark"
