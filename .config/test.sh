#!/usr/bin/env bash
# `make test`: every test there is, and lint; all steps run, one line at the end says how it went.
set -euo pipefail
cd "$(dirname "$0")/.."

passed=()
failed=()

step() {
    local name=$1 started=$SECONDS
    shift
    echo "── $name"
    if "$@"; then
        passed+=("$name $((SECONDS - started)) s")
    else
        failed+=("$name $((SECONDS - started)) s")
    fi
}

rust() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --release --workspace
    else
        cargo test --release --workspace --quiet
    fi
}

export -f rust
step "rust" .config/python.sh tests -m support.postgres bash -euo pipefail -c rust
step "python guest" python3 runtimes/python/tests/run.py
step "lint" .config/lint.sh
# The last step: what it could not test on this machine stands right above the summary.
step "end to end" .config/python.sh tests -m pytest --quiet

join() { local all="${*/%/,}"; echo "${all%,}"; }
if [ ${#failed[@]} -gt 0 ]; then
    echo "make test: FAILED: $(join "${failed[@]}"); in $SECONDS s"
    exit 1
fi
echo "make test: passed: $(join "${passed[@]}"); in $SECONDS s"
