#!/usr/bin/env bash
# python.sh FOLDER ARGUMENT...: Python in FOLDER, with the packages that tests/requirements.txt pins.
set -euo pipefail
cd "$(dirname "$0")/.."

environment=$PWD/target/test-venv
PYTHONPATH=runtimes/python PYTHONDONTWRITEBYTECODE=1 python3 - "$environment" <<'PYTHON'
import sys
from pathlib import Path

import pinned_venv

pinned_venv.ensure(Path(sys.argv[1]), Path("tests/requirements.txt"))
PYTHON

cd "$1"
shift
exec "$environment/bin/python" "$@"
