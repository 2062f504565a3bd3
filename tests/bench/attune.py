"""The server under measurement, and what the bench asks of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.connection import Answer, Connection
from support.api import Api, data
from support.packs import PACKS, archive_folder
from support.server import LOGIN, PASSWORD, Server

EXECUTE = "/api/v1/executions/execute"


class Attune:
    """Speaks to one server as its admin, over one connection of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = server.url
        self.api = Api(server.url).login(LOGIN, PASSWORD)
        self.headers = {"Authorization": f"Bearer {self.api.token}"}
        self.connection = Connection(self.url)

    def install_pack(self) -> None:
        data(self.api.upload(archive_folder(PACKS / "bench")), 201)

    def execute(self, action: str, wait: int = 60, **parameters: Any) -> bytes:
        """The request that runs an action to its end."""
        body = {"action_ref": f"bench.{action}", "parameters": parameters}
        return self.connection.request("POST", EXECUTE, body, Prefer=f"wait={wait}", **self.headers)

    def hello(self) -> bytes:
        return self.execute("hello", name="world")

    def run(self, request: bytes) -> dict[str, Any]:
        return completed(self.connection.ask(request))

    def begin(self, action: str) -> int:
        """Start an action and wait, on its log, until it says that it has begun."""
        number: int = self.api.submit(f"bench.{action}")["id"]
        path = f"/api/v1/executions/{number}/logs/stdout/stream"
        connection = Connection(self.url)
        request = connection.request("GET", path, **self.headers)
        assert any(b"begun" in line for line in connection.lines(request))
        return number

    def cancel(self, number: int) -> None:
        """Cancel, and return when that is committed."""
        path = f"/api/v1/executions/{number}"
        cancel = self.connection.request("POST", f"{path}/cancel", **self.headers)
        answer = self.connection.ask(cancel)
        if answer.data()["status"] != "cancelled":
            get = self.connection.request("GET", path, Prefer="wait=30", **self.headers)
            answer = self.connection.ask(get)
        assert answer.data()["status"] == "cancelled", answer

    @contextmanager
    def beside_busy_loops(self, number: int) -> Iterator[None]:
        loops = [self.begin("busy") for _ in range(number)]
        yield
        for loop in loops:
            self.cancel(loop)


def completed(answer: Answer) -> dict[str, Any]:
    execution = answer.data()
    assert (answer.status, execution["status"]) == (201, "completed"), answer.body[:500]
    return execution
