#!/usr/bin/env bash
# Installs what a build needs and this machine lacks, and with the argument `test` also what
# only the tests need. Quick when nothing is missing.
set -euo pipefail

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v python3 >/dev/null || missing+=(python3)
# An environment that was made once shows that one can be made.
[ -e target/python-runtime/venv ] || python3 -c 'import ensurepip, venv' 2>/dev/null ||
    missing+=(python3-venv)
if [ "${1-}" = test ]; then
    [ -d /usr/lib/postgresql ] || missing+=(postgresql)
    command -v faketime >/dev/null || missing+=(faketime)
    command -v openssl >/dev/null || missing+=(openssl)
    # What native actions find is what the system has, not what a user's PATH adds.
    system=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    PATH=$system command -v python3 >/dev/null || missing+=(python3)
    PATH=$system command -v node >/dev/null || missing+=(nodejs)
    PATH=$system command -v curl >/dev/null || missing+=(curl)
fi

if ! command -v cargo >/dev/null; then
    echo "prepare: Rust is missing; install it from https://rustup.rs" >&2
    exit 1
fi
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi
if ! command -v apt-get >/dev/null; then
    echo "prepare: please install: ${missing[*]}" >&2
    exit 1
fi
echo "prepare: installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy "${missing[@]}"
