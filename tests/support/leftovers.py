"""What servers must not leave behind once they have stopped."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from support.postgres import psql
from support.server import Server

# Each counts what must not be there.
COUNTS = {
    "executions that have not ended": """
        SELECT count(*) FROM execution
        WHERE status IN ('requested', 'scheduling', 'scheduled', 'running', 'canceling')""",
    "leases that have not ended": "SELECT count(*) FROM lease WHERE ended IS NULL",
    "archives that no pack names": """
        SELECT count(*) FROM pack_version WHERE retired IS NULL AND NOT EXISTS (
            SELECT 1 FROM pack
            WHERE pack.tenant = pack_version.tenant AND pack.digest = pack_version.digest)""",
    "packs without their archive": """
        SELECT count(*) FROM pack WHERE digest IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM pack_version
            WHERE pack.tenant = pack_version.tenant AND pack.digest = pack_version.digest)""",
}


def leftovers(servers: list[Server]) -> Iterator[str]:
    """Of all servers of one database."""
    for server in servers:
        scratch = [path.name for path in (server.data / "scratch").iterdir()]
        if scratch:
            yield f"scratch space of {server.home.name}: {scratch}"
    for what, statement in COUNTS.items():
        count = _count(servers[0], statement)
        if count:
            yield f"{what}: {count}"


def _count(server: Server, statement: str) -> int:
    url = server.settings.get("database_url")
    if url:
        return int(psql(str(url), statement))
    with closing(sqlite3.connect(server.data / "attune.db")) as database:
        count: int = database.execute(statement).fetchone()[0]
    return count
