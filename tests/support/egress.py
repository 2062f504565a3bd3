"""Servers whose actions may reach one network, 127.0.0.2, and ask the tests' name server."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from support.api import Api
from support.authority import Authority
from support.names import Names
from support.peer import ALLOWED
from support.server import LOGIN, PASSWORD, Server


@contextmanager
def reaching(
    names: Names, authority: Authority, listen: str = "127.0.0.1:0", **settings: str | int
) -> Iterator[Server]:
    """A server of these tests; the settings are added to those that all have."""
    settings = {
        "egress_private": f"{ALLOWED}/32",
        "egress_resolver": names.address,
        "egress_roots": str(authority.file),
        **settings,
    }
    with tempfile.TemporaryDirectory(prefix="attune-egress-") as home:
        server = Server(Path(home), None, **settings)
        try:
            yield server.start(listen)
            code = server.stop()
        finally:
            server.close()
        assert code == 0, f"the server ended with {code}"


def signed_in(server: Server) -> Api:
    """The administrator; signing in takes its time and is done once for each server."""
    return _signed_in(server.url)


@cache
def _signed_in(url: str) -> Api:
    return Api(url).login(LOGIN, PASSWORD)
