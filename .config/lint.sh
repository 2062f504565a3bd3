#!/usr/bin/env bash
# Formats, lints and types, of Rust and of Python. The floor plan is a Rust test.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --release --workspace --all-targets --quiet -- -D warnings
.config/python.sh . -m ruff check --quiet .
.config/python.sh . -m ruff format --quiet --check .
.config/python.sh tests -m mypy --no-error-summary
.config/python.sh runtimes/python -m mypy --no-error-summary --config-file ../../.config/mypy.ini
echo "lint: clean"
