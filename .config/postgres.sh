#!/usr/bin/env bash
# postgres.sh COMMAND ARGUMENT...: runs COMMAND beside a PostgreSQL of its own, which is gone
# afterwards. ATTUNE_TEST_POSTGRES is its URL.
set -euo pipefail

programs=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
if [ -z "$programs" ]; then
    echo "postgres.sh: PostgreSQL is missing; .config/prepare.sh installs it" >&2
    exit 1
fi

home=$(mktemp -d /tmp/attune-postgres-XXXXXX)
# PostgreSQL refuses to run as root.
as_user=()
if [ "$(id -u)" -eq 0 ]; then
    chown nobody "$home"
    as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
fi

stop() {
    "${as_user[@]}" "$programs/pg_ctl" --pgdata "$home/data" --mode immediate stop >/dev/null || true
    rm -rf "$home"
}
trap stop EXIT

cd "$home"
"${as_user[@]}" "$programs/initdb" --pgdata data --username attune --auth trust \
    --encoding UTF8 --locale C.UTF-8 --no-sync >"$home/initdb.log" ||
    { cat "$home/initdb.log" >&2; exit 1; }
# Nobody cuts the power here, so nothing waits for the disk.
"${as_user[@]}" "$programs/pg_ctl" --pgdata data --log data/server.log --wait \
    --options "-c listen_addresses= -c unix_socket_directories=$home -c fsync=off" \
    start >/dev/null || { cat data/server.log >&2; exit 1; }
cd "$OLDPWD"

ATTUNE_TEST_POSTGRES="postgres://attune@localhost/postgres?host=$home" "$@"
