"""Many connections at once: of one run, and of others that must not notice."""

import json
from typing import Any

from support.authority import Authority
from support.egress import reaching, signed_in
from support.guests import HERE, Guest, failed
from support.names import Names
from support.peer import OK, Peer, Visit, answering
from support.sse import events


def silent(visit: Visit) -> None:
    visit.until_ended()


def holding(guest: Guest, **parameters: Any) -> tuple[int, dict[str, Any]]:
    """A run that holds many connections, and what it said once it had them."""
    number = guest.submit("hold", **parameters)
    path = f"/api/v1/executions/{number}/logs/stdout/stream"
    said = next(event.data for event in events(guest.api, path) if "begun" in event.data)
    return number, json.loads(said.splitlines()[0])


def test_a_run_has_so_many_requests_at_once_and_no_more(guest: Guest) -> None:
    with Peer(silent) as peer, Peer(answering(OK)) as other:
        number, said = holding(guest, url=peer.url(), count=200)
        peer.wait_for(said["begun"])
        assert len(peer.visits) == said["begun"] == 100, said
        assert guest.fetch(other.url())["status"] == 200, "another run does not notice"
        assert guest.api.cancel(number).status_code == 200
        peer.wait_until_left()


def test_200_silent_connections_stop_nobody_else(guest: Guest) -> None:
    with Peer(silent) as peer, Peer(answering(OK)) as other:
        runs = [holding(guest, url=peer.url(), count=100)[0] for _ in range(2)]
        peer.wait_for(200)
        assert guest.fetch(other.url())["status"] == 200
        for number in runs:
            assert guest.api.cancel(number).status_code == 200
            assert guest.api.ended(number)["status"] == "cancelled"
        peer.wait_until_left()


def test_a_deadline_closes_what_the_run_had_open(guest: Guest) -> None:
    brief = Guest(guest.api, HERE, timeout=2)
    with Peer(silent) as peer:
        number = brief.submit("hold", url=peer.url(), count=20)
        peer.wait_for(20)
        assert brief.api.ended(number)["result"]["failure_reason"] == "deadline"
        peer.wait_until_left()


def test_a_run_that_ends_leaves_no_request_behind(guest: Guest) -> None:
    """The script exits with requests under way."""
    with Peer(silent) as peer:
        guest.run("abandon", url=peer.url(), count=5)
        peer.wait_until_left()


def test_a_tenant_has_so_many_connections_and_no_more(names: Names, authority: Authority) -> None:
    with (
        reaching(names, authority, egress_connections=10) as server,
        Peer(silent) as peer,
        Peer(answering(OK)) as other,
    ):
        guest = Guest(signed_in(server), HERE)
        number, _ = holding(guest, url=peer.url(), count=15)
        assert len(peer.visits) <= 10
        failed(guest.fetch(other.url(), timeout=1))
        assert guest.api.cancel(number).status_code == 200
        peer.wait_until_left()
        assert guest.fetch(other.url())["status"] == 200, "the places are free again"


def test_a_body_that_nobody_reads_is_not_fetched(guest: Guest) -> None:
    sent = []

    def script(visit: Visit) -> None:
        visit.request()
        visit.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            visit.send(b"x" * 10_000)
            sent.append(10_000)

    with Peer(script) as peer:
        number, _ = holding(guest, url=peer.url(), count=1, seconds=60)
        assert guest.api.cancel(number).status_code == 200
        peer.wait_until_left()
    assert sum(sent) < 10_000_000, "what lies in buffers, and no more"
