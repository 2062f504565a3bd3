#!/usr/bin/env bash
# `make run`: start the server, install the examples, run one, and serve until Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."

attune=target/release/attune
export ATTUNE_DATA_DIR=${ATTUNE_DATA_DIR:-./data}
credentials=$ATTUNE_DATA_DIR/admin.env

main() {
    find_credentials
    start
    if sign_in; then
        show_example
    fi
    echo "serving until Ctrl-C"
    serve_on
}

# The administrator's credentials: from the environment, from the first `make run`, or made now.
find_credentials() {
    if [ -n "${ATTUNE_BOOTSTRAP_PASSWORD:-}" ]; then
        export ATTUNE_BOOTSTRAP_LOGIN=${ATTUNE_BOOTSTRAP_LOGIN:-admin}
        shown="login $ATTUNE_BOOTSTRAP_LOGIN, password from ATTUNE_BOOTSTRAP_PASSWORD"
        return
    fi
    shown="in $credentials"
    if [ ! -f "$credentials" ]; then
        make_credentials
        shown="login ${ATTUNE_BOOTSTRAP_LOGIN:-admin}, password $(sed -n 's/^ATTUNE_BOOTSTRAP_PASSWORD=//p' "$credentials")"
        shown+=" (shown once; kept in $credentials)"
    fi
    set -a
    # shellcheck source=/dev/null
    . "$credentials"
    set +a
}

make_credentials() {
    mkdir -p -m 700 "$ATTUNE_DATA_DIR"
    local password
    password=$(python3 -c 'import secrets; print(secrets.token_urlsafe(18))')
    (
        umask 077
        printf 'ATTUNE_BOOTSTRAP_LOGIN=%q\nATTUNE_BOOTSTRAP_PASSWORD=%s\n' \
            "${ATTUNE_BOOTSTRAP_LOGIN:-admin}" "$password" >"$credentials"
    )
}

# In a session of its own, so that Ctrl-C reaches it once: through `stop`.
start() {
    exec {lines}< <(exec setsid "$attune" serve)
    server=$!
    trap 'kill -TERM "$server" 2>/dev/null || true' INT TERM HUP
    while read -r line <&"$lines"; do
        case $line in
            "attune is ready on "*)
                export ATTUNE_URL=${line#attune is ready on }
                echo "$line"
                echo "  administrator: $shown"
                return
                ;;
        esac
    done
    wait "$server"
}

sign_in() {
    ATTUNE_PASSWORD=$ATTUNE_BOOTSTRAP_PASSWORD "$attune" login "$ATTUNE_BOOTSTRAP_LOGIN" && return
    echo "the password was changed since: sign in with: $attune login"
    return 1
}

show_example() {
    if ! "$attune" pack show examples >/dev/null 2>&1; then
        "$attune" pack upload packs/examples
    fi
    echo "\$ attune run examples.report region=north"
    "$attune" run examples.report region=north || true
}

# `wait` returns when a signal comes; the server may still be draining then.
serve_on() {
    local code=0
    while kill -0 "$server" 2>/dev/null; do
        code=0
        wait "$server" || code=$?
    done
    exit "$code"
}

main
