"""Who held what: reads the record that `host/orchestrator/src/history.rs` leaves in the logs of
all servers, and tells what in it cannot be.

`problems` knows nothing of a server: it gets events and returns sentences. The version of an
execution is its clock: each commit makes it one larger, whoever makes it. Lines are written after
their commits, by servers that are killed and frozen, so a line may be missing or late, and the
time of a line proves only that its commit was no later.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from support.api import TERMINAL
from support.logs import parsed

LOG_LEVEL = "info,attune_orchestrator::history=debug"
TARGET = "attune_orchestrator::history"
# What a server says when it is told to stop: it gives its lease back, without a line for that.
STOPPING = "stopping: no new work; running work may finish"

MAX_STARTS = 3


@dataclass(frozen=True)
class Event:
    """One line of one server's log."""

    server: str
    at: datetime
    what: str
    execution: int = 0
    version: int = 0
    steps: int = 0
    status: str = ""
    lease: int | None = None
    starts: int = 0
    worker: int = 0

    def __str__(self) -> str:
        named = f"version {self.version}: {self.status}, starts {self.starts}, lease {self.lease}"
        return f"{named}, by {self.server}"


@dataclass(frozen=True)
class Facts:
    """What the log does not say."""

    # Executions whose author allows another start.
    may_rerun: frozenset[int] = frozenset()
    # When executions were asked for, at the earliest.
    asked_at: Mapping[int, datetime] = field(default_factory=dict)
    # What clients were told of their ends.
    ends: Mapping[int, str] = field(default_factory=dict)


def read(server: str, log: Path) -> list[Event]:
    """The record in one log, in its order."""
    lines = log.read_text(errors="replace").splitlines()
    return [event for line in lines if (event := _event(server, line))]


def _event(server: str, line: str) -> Event | None:
    entry = parsed(line)
    if entry is None or (entry.get("target") != TARGET and entry.get("message") != STOPPING):
        return None
    numbers = ("execution", "version", "steps", "starts", "worker")
    return Event(
        server,
        datetime.fromisoformat(entry["timestamp"]),
        entry["message"],
        status=entry.get("status", ""),
        lease=entry.get("lease"),
        **{name: entry[name] for name in numbers if name in entry},
    )


def problems(events: Iterable[Event], facts: Facts = Facts()) -> list[str]:
    """What cannot be true if nothing ran twice and nothing was lost."""
    events = list(events)
    leases = Leases(events)
    found = list(leases.problems())
    by_execution = defaultdict(list)
    for event in events:
        if event.what in ("committed", "handed over"):
            by_execution[event.execution].append(event)
    for number, own in sorted(by_execution.items()):
        story = Story(number, own, leases, facts)
        found += [f"execution {number}: {problem}" for problem in story.problems()]
    return found


class Leases:
    """Who was given which lease, and what tells that it has ended."""

    def __init__(self, events: list[Event]) -> None:
        self.grants = [event for event in events if event.what == "lease granted"]
        self.holders = {grant.lease: grant.server for grant in self.grants}
        # The earliest line that tells of a lease's end.
        self.known_ended: dict[int, datetime] = {}
        self._ended: set[int | None] = set()
        held: dict[str, int | None] = {}
        for event in events:
            if event.what == "lease granted":
                held[event.server] = event.lease
            elif event.what == STOPPING:
                self._ended.add(held.get(event.server))
            elif event.what in ("lease lost", "lease revoked") and event.lease is not None:
                self._ended.add(event.lease)
                known = self.known_ended.get(event.lease, event.at)
                self.known_ended[event.lease] = min(known, event.at)
        newest: dict[int, int] = {}
        for grant in self.grants:
            newest[grant.worker] = max(newest.get(grant.worker, 0), grant.lease or 0)
        # A worker is granted a lease only when it has no other.
        self._ended.update(
            grant.lease for grant in self.grants if (grant.lease or 0) < newest[grant.worker]
        )

    def has_ended(self, lease: int | None) -> bool:
        """Whether anything tells that it has ended at some time."""
        return lease in self._ended

    def problems(self) -> Iterator[str]:
        yield from self._granted_twice()
        yield from self._granted_while_another_is_held()

    def _granted_twice(self) -> Iterator[str]:
        seen: dict[int | None, str] = {}
        for grant in self.grants:
            if grant.lease in seen:
                servers = f"{seen[grant.lease]} and {grant.server}"
                yield f"lease {grant.lease} was granted twice, to {servers}"
            seen[grant.lease] = grant.server

    def _granted_while_another_is_held(self) -> Iterator[str]:
        """A worker's name belongs to one server at a time."""
        holders: dict[int, str] = {}
        for grant in self.grants:
            holder = holders.setdefault(grant.worker, grant.server)
            if holder != grant.server:
                yield f"worker {grant.worker} was {holder} and {grant.server}"


# A state as far as the record shows it.
State = tuple[str, int, int | None]
# The lease of a claim whose line is missing.
UNKNOWN = -1


class Story:
    """The commits and hand-overs of one execution."""

    def __init__(
        self,
        number: int,
        events: list[Event],
        leases: Leases,
        facts: Facts,
    ) -> None:
        self.leases = leases
        self.may_rerun = number in facts.may_rerun
        self.asked_at = facts.asked_at.get(number)
        self.end = facts.ends.get(number)
        commits = [event for event in events if event.what == "committed"]
        self.commits = sorted(commits, key=lambda event: event.version)
        self.hand_overs = [event for event in events if event.what == "handed over"]

    def problems(self) -> Iterator[str]:
        yield from self._committed_twice()
        yield from self._impossible_steps()
        yield from self._told_otherwise()
        for commit in self.commits:
            yield from self._starts(commit)
            yield from self._standing(commit)
        yield from self._handed_over_twice()
        for hand_over in self.hand_overs:
            yield from self._basis(hand_over)

    def _committed_twice(self) -> Iterator[str]:
        seen: dict[int, Event] = {}
        for commit in self.commits:
            for version in range(commit.version - commit.steps + 1, commit.version + 1):
                if version in seen:
                    yield f"two commits of version {version}: {seen[version]}; {commit}"
                seen[version] = commit

    def _impossible_steps(self) -> Iterator[str]:
        """Each commit follows from the one before; what is missing between can be filled in."""
        # Before its first version an execution is not there.
        possible: set[State] = {("", 0, None)}
        version = -1
        before = "nothing"
        for commit in self.commits:
            if commit.version <= version:
                continue  # told of as a second commit
            for _ in range(commit.version - version):
                possible = {after for state in possible for after in self._after(state)}
            seen = (commit.status, commit.starts, commit.lease)
            if not any(_fits(seen, state) for state in possible):
                yield f"no way leads from {before} to {commit}"
            possible, version, before = {seen}, commit.version, str(commit)

    def _after(self, state: State) -> Iterator[State]:
        """What one commit can make of a state: `domain/src/execution/transition.rs`."""
        status, starts, lease = state
        match status:
            case "":
                yield "requested", 0, None
            case "requested":
                yield "scheduled", starts, UNKNOWN
                yield "cancelled", starts, None
                yield "failed", starts, None
            case "scheduled":
                yield "running", starts + 1, lease
                yield "requested", starts, None
                yield "cancelled", starts, lease
                yield "failed", starts, lease
            case "running":
                yield "requested", starts - 1, None
                if self.may_rerun and starts < MAX_STARTS:
                    yield "requested", starts, None
                yield "canceling", starts, lease
                for end in ("completed", "failed", "cancelled", "abandoned"):
                    yield end, starts, lease
            case "canceling":
                yield "cancelled", starts, lease

    def _told_otherwise(self) -> Iterator[str]:
        ends = [commit for commit in self.commits if commit.status in TERMINAL]
        if ends and self.end not in (None, ends[-1].status):
            yield f"told to be {self.end}: {ends[-1]}"

    def _starts(self, commit: Event) -> Iterator[str]:
        allowed = MAX_STARTS if self.may_rerun else 1
        if commit.starts > allowed:
            yield f"more than {allowed} starts: {commit}"

    def _standing(self, commit: Event) -> Iterator[str]:
        """Whether this server could make this commit, as the holder or because there is none."""
        before = next((c for c in self.commits if c.version == commit.version - commit.steps), None)
        if commit.status == "scheduled" or commit.steps > 1:
            yield from self._claim(commit)
        elif commit.status in ("running", "completed"):
            if self._holder(commit.lease) != commit.server:
                yield f"by a server that did not hold its lease: {commit}"
        elif before and before.lease is not None and not _is_cancel(before, commit):
            holder, ended = self._holder(before.lease), self.leases.has_ended(before.lease)
            if holder != commit.server and not ended:
                yield f"a lease that had not ended was passed over: {commit}; it was {before}"
            # The settlement of what may have started is its end, or another start.
            released = commit.status == "requested" and commit.starts < before.starts
            if holder != commit.server and released:
                yield f"given back by somebody who cannot know that it did not start: {commit}"

    def _claim(self, commit: Event) -> Iterator[str]:
        if commit.lease is None:
            return  # created in the queue
        if self._holder(commit.lease) != commit.server:
            yield f"claimed under a lease that this server did not hold: {commit}"
        ended_at = self.leases.known_ended.get(commit.lease)
        if ended_at and self.asked_at and ended_at < self.asked_at:
            yield f"claimed under a lease that had ended before it was asked for: {commit}"

    def _handed_over_twice(self) -> Iterator[str]:
        by_version = defaultdict(list)
        for event in self.hand_overs:
            by_version[event.version].append(event.server)
        for version, servers in by_version.items():
            if len(servers) > 1:
                yield f"version {version} was handed over by each of {', '.join(servers)}"
        statuses = {commit.version: commit.status for commit in self.commits}
        for first, second in itertools.pairwise(sorted(by_version)):
            # A version without a line may have been the way back to the queue.
            between = {statuses.get(version) for version in range(first + 1, second)}
            if not between & {"requested", None}:
                yield f"handed over in versions {first} and {second}, and not given back between"

    def _basis(self, hand_over: Event) -> Iterator[str]:
        """A start is committed before the guest gets in, by the server that lets it in."""
        start = next((c for c in self.commits if c.version == hand_over.version), None)
        if start is None:
            yield f"version {hand_over.version} was handed over without a commit"
        elif (start.status, start.lease, start.server) != (
            "running",
            hand_over.lease,
            hand_over.server,
        ):
            yield f"handed over by {hand_over.server}, which is not what was committed: {start}"

    def _holder(self, lease: int | None) -> str | None:
        return self.leases.holders.get(lease)


def _fits(seen: State, possible: State) -> bool:
    status, starts, lease = possible
    same_lease = seen[2] is not None if lease == UNKNOWN else seen[2] == lease
    return same_lease and seen[:2] == (status, starts)


def _is_cancel(before: Event, commit: Event) -> bool:
    """Anybody may cancel, whoever holds it."""
    at_once = before.status == "scheduled" and commit.status == "cancelled"
    return commit.status == "canceling" or at_once
