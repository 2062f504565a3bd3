"""The check of histories sees what must not be, and passes what may."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.history import STOPPING, TARGET, Event, Facts, problems, read

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FACTS = Facts(may_rerun=frozenset({3}))


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def granted(server: str, lease: int, worker: int) -> Event:
    return Event(server, at(lease), "lease granted", lease=lease, worker=worker)


def revoked(server: str, lease: int, seconds: float = 50) -> Event:
    return Event(server, at(seconds), "lease revoked", lease=lease)


def commit(
    server: str,
    execution: int,
    version: int,
    status: str,
    lease: int | None = None,
    starts: int = 0,
    steps: int = 1,
) -> Event:
    return Event(server, at(100), "committed", execution, version, steps, status, lease, starts)


def started(server: str, execution: int, lease: int) -> Event:
    """Created with a place in hand."""
    return commit(server, execution, 2, "running", lease, starts=1, steps=3)


def handed(server: str, execution: int, version: int, lease: int) -> Event:
    return Event(server, at(101), "handed over", execution, version, lease=lease)


LEASES = [granted("one", 1, worker=1), granted("two", 2, worker=2)]

# An ordinary run, asked of one.
AT_ONCE = [
    started("one", 1, lease=1),
    handed("one", 1, 2, lease=1),
    commit("one", 1, 3, "completed", 1, starts=1),
]

# Asked of one, run by two, cancelled through one.
QUEUED = [
    commit("one", 2, 0, "requested"),
    commit("two", 2, 1, "scheduled", 2),
    commit("two", 2, 2, "running", 2, starts=1),
    handed("two", 2, 2, lease=2),
    commit("one", 2, 3, "canceling", 2, starts=1),
    commit("two", 2, 4, "cancelled", 2, starts=1),
]

# Begun by one, which was lost; run again by two.
AGAIN = [
    started("one", 3, lease=1),
    handed("one", 3, 2, lease=1),
    revoked("two", 1),
    commit("two", 3, 3, "requested", starts=1),
    commit("two", 3, 4, "scheduled", 2, starts=1),
    commit("two", 3, 5, "running", 2, starts=2),
    handed("two", 3, 5, lease=2),
    commit("two", 3, 6, "completed", 2, starts=2),
]

# The runner died before it began: its own server knows that, and lets another have it.
GIVEN_BACK = [
    started("two", 4, lease=2),
    handed("two", 4, 2, lease=2),
    commit("two", 4, 3, "requested"),
    commit("two", 4, 4, "scheduled", 2),
    commit("two", 4, 5, "running", 2, starts=1),
    handed("two", 4, 5, lease=2),
    commit("two", 4, 6, "failed", 2, starts=1),
]

GOOD = [*LEASES, *AT_ONCE, *QUEUED, *AGAIN, *GIVEN_BACK]


def test_a_good_history_passes() -> None:
    assert problems(GOOD, FACTS) == []


HANDED_OVER = {(event.execution, event.version) for event in GOOD if event.what == "handed over"}


@pytest.mark.parametrize(
    "missing",
    [
        event
        for event in GOOD
        if event.what == "committed" and (event.execution, event.version) not in HANDED_OVER
    ],
    ids=str,
)
def test_a_line_that_died_with_its_server_may_be_missing(missing: Event) -> None:
    assert problems([event for event in GOOD if event != missing], FACTS) == []


TWO_CLAIMS = commit("one", 2, 1, "scheduled", 1)
LATE_END = commit("one", 3, 7, "completed", 1, starts=1)
NOT_LOST = [*LEASES, started("one", 5, 1), commit("two", 5, 3, "abandoned", 1, starts=1)]
THIRD_REQUEUE = [
    *LEASES,
    commit("two", 3, 0, "requested"),
    *(
        commit("two", 3, 3 * n + step, status, lease, starts)
        for n in range(4)
        for step, status, lease, starts in (
            (1, "scheduled", 2, n),
            (2, "running", 2, n + 1),
            (3, "requested", None, n + 1),
        )
    ),
]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([*GOOD, TWO_CLAIMS], "two commits of version 1"),
        ([*GOOD, commit("two", 1, 3, "abandoned", 1, starts=1)], "two commits of version 3"),
        # A second creation covers the versions of the claim.
        ([*GOOD, started("two", 2, 2)], "two commits of version 0"),
        ([*GOOD, handed("two", 1, 2, lease=2)], "handed over by each of one, two"),
        ([*GOOD, handed("one", 1, 2, lease=1)], "handed over by each of one, one"),
        ([*GOOD, handed("two", 1, 3, lease=2)], "and not given back between"),
        ([*GOOD, handed("two", 2, 1, lease=2)], "which is not what was committed"),
        ([*GOOD, handed("one", 9, 2, lease=1)], "without a commit"),
        # A stale owner writes the end of what was run again.
        ([*GOOD, LATE_END], "no way leads from version 6"),
        ([*GOOD, commit("one", 1, 4, "running", 1, starts=2)], "no way leads from version 3"),
        ([*LEASES, commit("one", 6, 0, "running", 1, starts=1)], "no way leads from nothing"),
        ([*LEASES, started("one", 6, 1), commit("two", 6, 4, "running", 2, 2)], "no way leads"),
        (THIRD_REQUEUE, "more than 3 starts"),
        (THIRD_REQUEUE, "no way leads from version 8"),
        ([*GOOD, granted("two", 1, worker=2)], "lease 1 was granted twice, to one and two"),
        ([*GOOD, granted("two", 3, worker=1)], "worker 1 was one and two"),
        ([*LEASES, started("two", 7, lease=1)], "claimed under a lease that this server did not"),
        ([*LEASES, started("one", 7, lease=8)], "claimed under a lease that this server did not"),
        (
            [*LEASES, started("one", 7, 1), commit("two", 7, 3, "completed", 1, starts=1)],
            "by a server that did not hold its lease",
        ),
        (NOT_LOST, "a lease that had not ended was passed over"),
        (
            [*LEASES, revoked("two", 1), started("one", 7, 1), commit("two", 7, 3, "requested")],
            "given back by somebody who cannot know",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_found(history: list[Event], expected: str) -> None:
    found = problems(history, FACTS)
    assert any(expected in problem for problem in found), found


def test_only_what_may_rerun_is_started_again() -> None:
    found = problems(GOOD, Facts())
    assert all(problem.startswith("execution 3: ") for problem in found)
    assert any("no way leads" in problem for problem in found)
    assert any("more than 1 starts" in problem for problem in found)


def test_a_stale_owner_takes_no_new_work() -> None:
    """Its lease had ended before anybody asked for the execution."""
    history = [*LEASES, revoked("two", 1), started("one", 8, lease=1)]
    assert problems(history, Facts(asked_at={8: at(49)})) == []
    [found] = problems(history, Facts(asked_at={8: at(51)}))
    assert "had ended before it was asked for" in found


def test_clients_are_told_what_was_committed() -> None:
    ends = {1: "completed", 2: "cancelled", 3: "completed", 4: "failed"}
    assert problems(GOOD, replace(FACTS, ends=ends)) == []
    [found] = problems(GOOD, replace(FACTS, ends=ends | {1: "abandoned"}))
    assert "told to be abandoned" in found


@pytest.mark.parametrize(
    "end",
    [
        revoked("two", 1),
        Event("one", at(50), "lease lost", lease=1),
        Event("one", at(50), STOPPING),
        granted("one", 3, worker=1),
    ],
    ids=lambda end: end.what,
)
def test_a_lease_that_has_ended_may_be_passed_over(end: Event) -> None:
    assert problems([*NOT_LOST[:2], end, *NOT_LOST[2:]], FACTS) == []


def test_lines_are_read_as_they_are_written(tmp_path: Path) -> None:
    line = {
        "timestamp": "2026-01-01T12:01:40.000000Z",
        "level": "DEBUG",
        "message": "committed",
        "execution": 1,
        "version": 3,
        "steps": 1,
        "status": "completed",
        "lease": 1,
        "starts": 1,
        "target": TARGET,
    }
    other = line | {"target": "attune_api", "message": "request"}
    stop = line | {"target": "attune::wire", "message": STOPPING}
    log = tmp_path / "server.log"
    log.write_text("\n".join(json.dumps(one) for one in (line, other, stop)) + "\nno JSON\n")
    first, second = read("one", log)
    assert first == AT_ONCE[-1]
    assert second.what == STOPPING
