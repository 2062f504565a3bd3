"""Requests below the library, straight to the host: a hostile guest writes what it likes."""

from collections.abc import Callable
from typing import Any

import pytest

from support.authority import Authority
from support.guests import HERE, Guest, denied, failed
from support.peer import ALLOWED, OK, PRIVATE, Head, Peer, Visit, answering, then_silent

NewGuest = Callable[..., Guest]

SMUGGLED = "DELETE /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"


def ask(guest: Guest, peer: Peer, **parameters: Any) -> Any:
    given = {"authority": f"{ALLOWED}:{peer.port}", "path": "/", **parameters}
    return guest.run("below", **given)


def assert_well_formed(peer: Peer, *methods: str) -> list[Head]:
    """Only requests of these methods, each to the peer itself and of one clear length."""
    for head in peer.heads:
        method, target, version = head.line.split(" ")
        assert method in methods, peer.received
        assert target.startswith("/"), head.line
        assert "\r" not in target
        assert version == "HTTP/1.1"
        assert head.all("host") == [f"{ALLOWED}:{peer.port}"], head.fields
        assert len(head.all("content-length") + head.all("transfer-encoding")) <= 1, head.fields
        assert not any(name.lower().startswith("attune-") for name, _ in head.fields)
    assert b"smuggled HTTP" not in peer.received
    return peer.heads


def test_an_ordinary_request(guest: Guest, peer: Peer) -> None:
    answer = ask(guest, peer, method="POST", fields=[("x-a", "b")], body=["one", "two"])
    assert (answer["status"], answer["body"]) == (200, "ok")
    [head] = assert_well_formed(peer, "POST")
    assert head.all("x-a") == ["b"]


@pytest.mark.parametrize(
    "form",
    [
        "{spy}",
        "{peer}@{spy}",
        "{spy}@{peer}",
        "user:password@{peer}",
        "@{peer}",
        "{peer}/../{spy}",
        "{peer}#{spy}",
        "{peer}?{spy}",
        "{peer}\\{spy}",
        "{peer},{spy}",
        "{peer} {spy}",
        "{peer}\r\nx: y",
        "{peer}\0",
        "{peer}:80",
        "127.0.0.2:0",
        "127.0.0.2:99999",
        "127.0.0.2:-1",
        "127.0.0.2:+80",
        "127.0.0.2:0x50",
        "[127.0.0.2]:80",
        "[::1",
        "::1",
        "[::ffff:127.0.0.3]:{port}",
        "2130706435:{port}",
        "0x7f000003:{port}",
        "0177.0.0.3:{port}",
        "127.3:{port}",
        "%31%32%37.0.0.3:{port}",
        "１２７.0.0.3:{port}",  # noqa: RUF001
        "127。0。0。3:{port}",
        "localhost:{port}",
        "*",
        "*:{port}",
        ":{port}",
        "",
        "x" * 100_000,
    ],
)
def test_authorities(guest: Guest, peer: Peer, spy: Peer, form: str) -> None:
    written = form.format(
        peer=f"{ALLOWED}:{peer.port}", spy=f"{PRIVATE}:{peer.port}", port=peer.port
    )
    failed(ask(guest, peer, authority=written))
    failed(ask(guest, peer, authority=written, method="CONNECT"))
    assert not peer.heads
    assert not spy.visits


@pytest.mark.parametrize(
    "path",
    [
        "http://{spy}/",
        "//{spy}/x",
        "@{spy}/",
        ":{port}@{spy}/",
        "\\\\{spy}\\",
        "*",
        "",
        "relative",
        "/ HTTP/1.1\r\nhost: x\r\n\r\n" + SMUGGLED,
        "/\r\nx: y",
        "/\n",
        "/\0",
        "/ x",
        "/\t",
        "/#fragment",
        "/é",
        "/%00%0d%0a",
        "/../../etc/passwd",
        "/" + "x" * 1_000_000,
        None,
    ],
)
def test_paths(guest: Guest, peer: Peer, spy: Peer, path: str | None) -> None:
    written = path and path.format(spy=f"{PRIVATE}:{peer.port}", port=peer.port)
    ask(guest, peer, path=written)
    assert_well_formed(peer, "GET")
    assert not spy.visits


@pytest.mark.parametrize(
    "method", ["GET / HTTP/1.1\r\n\r\nDELETE", "", "G T", "GET\0", "get", "PRI", "DELETE", "GÉT"]
)
def test_methods(new_guest: NewGuest, peer: Peer, method: str) -> None:
    guest = new_guest([{"host": ALLOWED, "ports": "*", "methods": ["GET"]}])
    failed(ask(guest, peer, method=method))
    assert not peer.heads


@pytest.mark.parametrize("scheme", ["ftp", "file", "", "HTTP ", "ws", "http\r\n", "gopher"])
def test_schemes(guest: Guest, peer: Peer, scheme: str) -> None:
    failed(ask(guest, peer, scheme=scheme))
    assert not peer.visits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "private.test"),
        ("Host", "{spy}"),
        (":authority", "{spy}"),
        (":path", "/smuggled"),
        ("transfer-encoding", "chunked"),
        ("transfer-encoding", "xchunked"),
        ("Transfer-Encoding", "identity"),
        ("connection", "close, x-a"),
        ("keep-alive", "timeout=900"),
        ("proxy-authorization", "Basic eA=="),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("upgrade", "websocket"),
        ("expect", "100-continue"),
        ("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"),
        ("attune-insecure-tls", "true"),
        ("attune-anything", "x"),
        ("ATTUNE-ANYTHING", "x"),
        ("x", "a\r\ninjected: y"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        ("x", "\x7f"),
        ("x\r\ninjected", "y"),
        ("x: y\r\ninjected", "z"),
        ("x y", "z"),
        ("x:", "y"),
        ("", "y"),
        ("é", "y"),
        ("x", "y" * 100_000),
        ("x" * 100_000, "y"),
    ],
)
def test_fields(guest: Guest, peer: Peer, spy: Peer, name: str, value: str) -> None:
    fields = [(name, value.format(spy=f"{PRIVATE}:{peer.port}")), ("x-a", "b")]
    ask(guest, peer, fields=fields)
    for head in assert_well_formed(peer, "GET"):
        assert not head.names() & {"injected", "te", "upgrade", "expect", "http2-settings"}
        assert not [key for key in head.names() if key.startswith(("proxy", "keep"))]
    assert not spy.visits


def test_a_thousand_fields(guest: Guest, peer: Peer) -> None:
    ask(guest, peer, fields=[(f"x-{number}", "y") for number in range(1_000)])
    assert_well_formed(peer, "GET")


def test_more_fields_than_the_host_holds(guest: Guest, peer: Peer) -> None:
    """It stops the action, at most: nobody who means well makes so many."""
    fields = [(f"x-{number}", "y" * 100) for number in range(3_000)]
    authority = f"{ALLOWED}:{peer.port}"
    guest.api.run(f"{guest.ref}.below", {"authority": authority, "path": "/", "fields": fields})
    assert not peer.heads


@pytest.mark.parametrize(
    "lengths",
    [
        ["0"],
        ["5"],
        ["9999999"],
        ["0", str(len(SMUGGLED))],
        [f"{len(SMUGGLED)}, 0"],
        ["-1"],
        ["+5"],
        ["5 "],
        ["0x10"],
        ["99999999999999999999999"],
        [""],
    ],
    ids=str,
)
@pytest.mark.parametrize("coding", [[], [("transfer-encoding", "chunked")]], ids=["", "chunked"])
def test_lengths_that_are_not_the_body_s(
    hasty: Guest, peer: Peer, lengths: list[str], coding: list[tuple[str, str]]
) -> None:
    fields = [*coding, *(("content-length", length) for length in lengths)]
    ask(hasty, peer, method="POST", fields=fields, body=["0\r\n\r\n", SMUGGLED])
    # What is read as a body may hold anything; what begins a request may not.
    for head in peer.heads:
        assert head.line.startswith("POST "), peer.received
        assert len(head.all("content-length") + head.all("transfer-encoding")) <= 1, head.fields


def test_trailers_smuggle_nothing(hasty: Guest, peer: Peer) -> None:
    for trailers in ([("host", "x")], [("x", "a\r\n\r\n" + SMUGGLED)], [("content-length", "0")]):
        ask(hasty, peer, method="POST", body=["x"], trailers=trailers)
    assert_well_formed(peer, "POST")


def test_a_connect_is_never_sent(guest: Guest, peer: Peer) -> None:
    """It opens a connection; whatever comes with it goes nowhere."""
    fields = [("x-a", "b"), ("content-length", str(len(SMUGGLED)))]
    answer = ask(guest, peer, method="CONNECT", path="/x", fields=fields, body=[SMUGGLED])
    assert "error" in answer or answer["body"] == ""
    answer = ask(guest, peer, method="CONNECT")
    assert (answer["status"], answer["body"]) == (200, "")
    assert b"smuggled" not in peer.received
    assert not peer.heads


def test_the_header_for_insecure_tls_needs_its_grant(
    new_guest: NewGuest, authority: Authority
) -> None:
    fields = [("attune-insecure-tls", "true")]
    with Peer(answering(OK), tls=authority.of_a_stranger(ALLOWED)) as peer:
        guest = new_guest(HERE)
        denied(ask(guest, peer, scheme="https", fields=fields), "insecure_tls")
        denied(ask(guest, peer, scheme="https", fields=fields, method="CONNECT"), "insecure_tls")
        both = [("Attune-Insecure-TLS", "false"), *fields]
        failed(ask(guest, peer, scheme="https", fields=both))
    assert not peer.heads


@pytest.mark.parametrize("timeout", [0, 1, 2**64 - 1])
def test_odd_timeouts(hasty: Guest, timeout: int) -> None:
    """None is too long for the server's own limits to hold."""
    with Peer(then_silent()) as peer:
        failed(ask(hasty, peer, timeout_ns=timeout))
        peer.wait_until_left()


def test_a_request_that_is_never_finished(hasty: Guest) -> None:
    """Its body stays open, and the peer waits for it."""

    def script(visit: Visit) -> None:
        visit.until_ended()

    with Peer(script) as peer:
        failed(ask(hasty, peer, method="POST", unfinished=True))
        peer.wait_until_left()
