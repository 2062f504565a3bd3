"""A name is what its checked answers say it is; a connection goes to nowhere else."""

from collections.abc import Callable, Iterator

import pytest

from support import names as dns
from support.guests import Guest, denied, failed
from support.names import Answer, Names, new_name, records
from support.peer import ALLOWED, OK, PRIVATE, Peer, answering, answering_once

NewGuest = Callable[..., Guest]
Named = Callable[..., str]


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Closes after each answer, so that every request looks its name up."""
    with Peer(answering_once(OK)) as peer:
        yield peer


@pytest.fixture
def named(names: Names) -> Named:
    return lambda *answers: names.set(new_name(), *answers)


@pytest.mark.parametrize("turn", range(1, 5))
def test_rebinding(anybody: Guest, named: Named, peer: Peer, spy: Peer, turn: int) -> None:
    """The answer changes after one lookup, or two, and so on, whenever those happen."""
    name = named(*[records(ALLOWED)] * turn, records(PRIVATE))
    targets = [f"/{number}" for number in range(6)]
    answers = anybody.run("exchanges", url=peer.url(host=name), targets=targets)
    assert answers[0].get("status") == 200, answers
    for answer in answers:
        assert answer.get("status") == 200 or "denied" in failed(answer), answers
    assert not spy.visits


@pytest.mark.parametrize("values", [(ALLOWED, PRIVATE), (PRIVATE, ALLOWED), (ALLOWED, "::1")])
def test_an_allowed_and_a_private_answer(
    anybody: Guest, named: Named, peer: Peer, spy: Peer, values: tuple[str, ...]
) -> None:
    name = named(records(*values))
    for _ in range(4):
        answer = anybody.fetch(peer.url(host=name))
        assert answer.get("status") == 200 or "denied" in failed(answer)
    assert not spy.visits


def test_no_way_round_an_allowed_address_that_refuses(
    anybody: Guest, named: Named, names: Names
) -> None:
    with Peer(answering(OK), PRIVATE) as spy:
        name = named(records(ALLOWED, PRIVATE, "::1"))
        failed(anybody.fetch(spy.url(host=name)))
    assert not spy.visits
    assert names.times_asked(name) < 10


def test_a_cname_to_a_private_name(anybody: Guest, named: Named, peer: Peer, spy: Peer) -> None:
    private = named(records(PRIVATE))
    denied(anybody.fetch(peer.url(host=named(records(private)))))
    denied(anybody.fetch(peer.url(host=named(records(private, PRIVATE)))))
    assert not spy.visits


def test_a_cname_to_localhost(anybody: Guest, named: Named) -> None:
    with Peer(answering(OK), "127.0.0.1") as spy:
        failed(anybody.fetch(spy.url(host=named(records("localhost", "127.0.0.1")))))
        failed(anybody.fetch(spy.url(host=named(records("localhost")))))
    assert not spy.visits


def test_a_cname_to_an_allowed_name(anybody: Guest, named: Named, peer: Peer) -> None:
    allowed = named(records(ALLOWED))
    assert anybody.fetch(peer.url(host=named(records(allowed, ALLOWED))))["status"] == 200


def test_a_cname_is_no_grant(new_guest: NewGuest, named: Named, peer: Peer) -> None:
    """The grant is for the name that the action asks for, and for no other."""
    granted = named(records(ALLOWED))
    guest = new_guest([{"host": granted, "ports": "*"}])
    denied(guest.fetch(peer.url(host=named(records(granted, ALLOWED)))))
    assert not peer.visits


def test_a_circle_of_cnames(hasty: Guest, names: Names) -> None:
    one, other = new_name(), new_name()
    names.set(one, records(other))
    names.set(other, records(one))
    failed(hasty.fetch(f"http://{one}/"))
    assert names.times_asked(one) + names.times_asked(other) < 200


def test_a_name_that_does_not_exist(anybody: Guest) -> None:
    answer = anybody.fetch(f"http://{new_name()}/")
    assert answer["error"] == "gaierror", answer


@pytest.mark.parametrize(
    "answer",
    [
        dns.failing("SERVFAIL"),
        dns.failing("REFUSED"),
        dns.silence,
        dns.garbage,
        dns.another_s,
        records(),
    ],
    ids="servfail refused silence garbage another_s nothing".split(),
)
def test_a_name_server_that_is_no_help(
    hasty: Guest, named: Named, names: Names, answer: Answer
) -> None:
    name = named(answer)
    seen = hasty.fetch(f"http://{name}/")
    assert seen["error"] in ("gaierror", "TimeoutError"), seen
    assert names.times_asked(name) < 50


def test_silence_about_one_name_holds_nobody_else_up(
    hasty: Guest, named: Named, peer: Peer
) -> None:
    silent = hasty.submit("fetch", url=f"http://{named(dns.silence)}/")
    assert hasty.fetch(peer.url(host=named(records(ALLOWED))))["status"] == 200
    assert hasty.api.ended(silent)["status"] == "completed"


def test_a_huge_answer(anybody: Guest, named: Named, peer: Peer, spy: Peer) -> None:
    """Over TCP, since it is too long for a datagram."""
    private = [f"127.0.{high}.{low}" for high in range(1, 9) for low in range(200)]
    answer = anybody.fetch(peer.url(host=named(records(*private, PRIVATE))))
    denied(answer)
    mixed = anybody.fetch(peer.url(host=named(records(*private, PRIVATE, ALLOWED))))
    assert mixed.get("status") == 200 or "denied" in failed(mixed)
    assert not spy.visits


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "a." * 130 + "test", "a..test", ".test"])
def test_names_that_are_none(anybody: Guest, name: str) -> None:
    failed(anybody.fetch(f"http://{name}/"))


def test_a_reused_connection_is_to_a_checked_address(anybody: Guest, named: Named) -> None:
    """A kept connection serves its own name alone, not another one that has the same address."""
    with Peer(answering(OK)) as peer:
        one, other = named(records(ALLOWED)), named(records(PRIVATE))
        assert anybody.fetch(peer.url(host=one))["status"] == 200
        denied(anybody.fetch(peer.url(host=other)))
    assert [head.all("host") for head in peer.heads] == [[f"{one}:{peer.port}"]]
