"""Executions of every kind, asked for while servers die, and how each of them has to end.

A request is repeated under its idempotency key, at one server or the other, until it is
answered: then it is accepted, and is the only one of its key.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from support.api import Api, Json, data, page
from support.history import Facts
from support.packs import small_pack
from support.server import Server

EXECUTE = "/api/v1/executions/execute"
# A pack that is replaced while its action runs.
MOVING = "moving"

# Kinds with their share of all requests.
SHARES = {
    "plain": 8,
    "sleeping": 4,
    "cancelled": 3,
    "impatient": 1,
    "rerun": 3,
    "moving": 2,
}
# One of so many requests is followed by a new version of the pack.
UPLOADS = 25

# Seconds until an answer must have come from some server, and until all work must have ended.
PATIENCE = 50.0
# Codes of answers after which the same request may succeed.
PASSING = ("SERVICE_UNAVAILABLE", "DATABASE_ERROR")
# Clocks that are read by two processes differ by less.
SLACK = timedelta(seconds=1)


@dataclass(frozen=True)
class Loss:
    """A worker may have lost what it ran then."""

    worker: str
    at: datetime


@dataclass
class Item:
    """A request, and what was promised for it."""

    kind: str
    key: str
    asked_at: datetime
    number: int = 0
    # A cancel was answered with 200.
    cancelled: bool = False


@dataclass
class Workload:
    """What was asked for until now, by clients that ask any of the servers."""

    servers: list[Server]
    token: str
    seed: str
    # The longest wait between two requests of one client, in seconds.
    pause: float = 0.3
    items: list[Item] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    # The statuses that clients saw in the end.
    ends: dict[int, str] = field(default_factory=dict)

    def lost(self, *servers: Server) -> None:
        """Note that these may lose what they run now."""
        now = datetime.now(UTC)
        self.losses += [Loss(str(server.settings["worker_name"]), now) for server in servers]

    @contextmanager
    def running(self, clients: int = 4) -> Iterator[None]:
        """Clients that ask for more and more, until the block is left."""
        enough = threading.Event()
        with ThreadPoolExecutor(clients) as pool:
            busy: list[Future[None]] = [
                pool.submit(Client(self, number, enough).work) for number in range(clients)
            ]
            try:
                yield
            finally:
                enough.set()
        for client in busy:
            client.result()

    def facts(self) -> Facts:
        """What the check of histories has to know."""
        may_rerun = frozenset(item.number for item in self.items if item.kind == "rerun")
        asked_at = {item.number: item.asked_at for item in self.items}
        return Facts(may_rerun, asked_at, self.ends)

    def problems(self, api: Api) -> Iterator[str]:
        """What did not end as its kind has to; waits for what has not ended yet."""
        deadline = time.monotonic() + PATIENCE
        for item in self.items:
            execution = once_ended(api, item.number, deadline)
            self.ends[item.number] = execution["status"]
            if not self._right(item, execution):
                yield f"{item}: {execution}"
        stats = data(api.get("/api/v1/executions/stats"))
        if stats["pending"] or stats["running"]:
            yield f"something is left: {stats}"
        _, pagination = page(api.get("/api/v1/executions", include_total=True, per_page=1))
        if pagination["total_items"] != len(self.items):
            yield f"{len(self.items)} were asked for, {pagination['total_items']} were made"

    def _right(self, item: Item, execution: Json) -> bool:
        status, result = execution["status"], execution["result"]
        if status == "cancelled" or item.cancelled:
            # An answer may have been lost: then the next one says that it has ended.
            return bool(item.kind == status == "cancelled")
        if status == "abandoned":
            return item.kind != "rerun" and self._was_lost(execution)
        if item.kind == "impatient":
            return bool(status == "failed" and "timed out" in result["error"])
        if item.kind == "rerun" and status == "failed":
            lost = [loss for loss in self.losses if within(loss.at, execution, "created")]
            return len(lost) >= 3 and result["failure_reason"] == "runner_lost"
        said = {"plain": item.key, "moving": "moved"}.get(item.kind, "begun\ndone")
        return bool(status == "completed" and result["stdout"] == said)

    def _was_lost(self, execution: Json) -> bool:
        """Nothing is abandoned without a reason."""
        name = execution["result"]["worker"]["name"]
        return any(
            loss.worker == name and within(loss.at, execution, "started_at") for loss in self.losses
        )


def within(at: datetime, execution: Json, begin: str) -> bool:
    """Whether it was between this time of the execution and its end."""
    first, last = (datetime.fromisoformat(execution[key]) for key in (begin, "updated"))
    return first - SLACK <= at <= last + SLACK


def once_ended(api: Api, number: int, deadline: float) -> Json:
    """The execution when it is over, or as it is when that takes too long."""
    path = f"/api/v1/executions/{number}"
    while True:
        seconds = max(0, round(deadline - time.monotonic()))
        answer = api.http.get(path, headers={"Prefer": f"wait={seconds}"})
        # The database was taken away in the middle of it.
        if answer.status_code != 503 or not seconds:
            break
    execution: Json = data(answer)
    return execution


class Client:
    """Asks for one thing after the other."""

    def __init__(self, workload: Workload, number: int, enough: threading.Event) -> None:
        self.workload = workload
        self.number = number
        self.enough = enough
        self.chance = random.Random(f"{workload.seed}/client {number}")

    def work(self) -> None:
        while not self.enough.wait(self.chance.uniform(0, self.workload.pause)):
            kind = self.chance.choices(list(SHARES), list(SHARES.values()))[0]
            item = self._submit(kind)
            if kind == "cancelled":
                self.enough.wait(self.chance.uniform(0, 0.5))
                self._cancel(item)
            if self.chance.randrange(UPLOADS) == 0:
                self._upload()

    def _submit(self, kind: str) -> Item:
        key = f"{self.number}-{self.chance.getrandbits(64):x}"
        item = Item(kind, key, datetime.now(UTC))
        action, parameters = {
            "plain": ("behaviour.say", {"stdout": key}),
            "sleeping": ("behaviour.sleeper", {"seconds": self.chance.uniform(0.1, 1.5)}),
            "cancelled": ("behaviour.sleeper", {}),
            "impatient": ("behaviour.sleeper_impatient", {}),
            "rerun": ("behaviour.sleeper_rerun", {"seconds": self.chance.uniform(0.1, 1.5)}),
            "moving": (f"{MOVING}.run", {}),
        }[kind]
        body = {"action_ref": action, "parameters": parameters}
        answer = self._until_answered(
            lambda api: api.post(EXECUTE, body, Idempotency_Key=key), {201}
        )
        item.number = data(answer, 201)["id"]
        self.workload.items.append(item)
        return item

    def _cancel(self, item: Item) -> None:
        # 409: it has ended before, and the end says why.
        answer = self._until_answered(lambda api: api.cancel(item.number), {200, 409})
        item.cancelled = answer.status_code == 200

    def _upload(self) -> None:
        archive = moving_pack(self.chance.getrandbits(64))
        self._until_answered(lambda api: api.upload(archive, force=True), {201})

    def _until_answered(
        self, ask: Callable[[Api], httpx.Response], answers: set[int]
    ) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE
        while True:
            server = self.chance.choice(self.workload.servers)
            api = Api(server.url, self.workload.token)
            api.http.timeout = httpx.Timeout(2)
            with api.http:
                try:
                    answer = ask(api)
                except httpx.TransportError as error:
                    seen = str(error)
                else:
                    if answer.status_code in answers:
                        return answer
                    seen = answer.text
                    assert answer.status_code >= 500, f"{answer.status_code}: {seen}"
                    assert answer.json()["code"] in PASSING, seen
            assert time.monotonic() < deadline, f"no answer in {PATIENCE} s; last: {seen}"
            time.sleep(0.1)


def moving_pack(version: int) -> bytes:
    """The pack that is replaced: no two versions have the same files."""
    return small_pack(MOVING, f"1.0.{version}", run="print('moved')\n")
