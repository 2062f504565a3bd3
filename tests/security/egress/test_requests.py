"""Whatever bytes an action writes, a peer sees well-formed requests to itself, or nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from support.guests import Guest, denied, failed
from support.peer import ALLOWED, PRIVATE, Peer

NewGuest = Callable[..., Guest]

# Fields that are between the broker and the peer, or between the action and the broker.
NOT_PASSED_ON = {
    "Connection": "close, x-hop",
    "Keep-Alive": "timeout=900",
    "Proxy-Connection": "keep-alive",
    "Proxy-Authorization": "Basic eA==",
    "TE": "trailers",
    "Upgrade": "websocket",
    "Expect": "100-continue",
    "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA",
    "Attune-Insecure-Tls": "true",
    "attune-anything": "x",
}


def send(guest: Guest, peer: Peer, *parts: str) -> Any:
    return guest.run("raw", host=ALLOWED, port=peer.port, send=parts, timeout=2)


def assert_well_formed(peer: Peer, *methods: str) -> None:
    """Requests of these methods alone, each with one host, and a length that leaves no doubt."""
    for head in peer.heads:
        method, target, version = head.line.split(" ")
        assert method in methods, peer.received
        assert target.startswith("/"), head.line
        assert version == "HTTP/1.1"
        assert head.all("host") == [f"{ALLOWED}:{peer.port}"], head.fields
        lengths = head.all("content-length") + head.all("transfer-encoding")
        assert len(lengths) <= 1, head.fields
        for name, value in head.fields:
            assert name
            assert name == name.strip(), head.fields
            assert not set(name + value) & set("\r\n\0"), head.fields


@pytest.mark.parametrize(
    "target",
    [
        "http://{spy}/x",
        "HTTP://{spy}/x",
        "//{spy}/x",
        "http://{peer}@{spy}/x",
        "http://{spy}@{peer}/x",
        "http://{spy}#@{peer}/x",
        "http://{spy}\\@{peer}/x",
        "/x@{spy}",
        "@{spy}/x",
        ":80@{spy}/x",
        "\\\\{spy}\\x",
        "{spy}",
        "*",
        "",
        "?query",
        "/x HTTP/1.1\r\nX: y\r\n\r\nDELETE /smuggled",
        "/x\tHTTP/1.1",
        "/x\0y",
        "/x\x0by",
        "/\xff\xfe",
        "/x#fragment",
        "/" + "x" * 100_000,
        "file:///etc/passwd",
        "gopher://{spy}/x",
    ],
)
def test_targets(guest: Guest, peer: Peer, spy: Peer, target: str) -> None:
    written = target.format(peer=f"{ALLOWED}:{peer.port}", spy=f"{PRIVATE}:{peer.port}")
    send(guest, peer, f"GET {written} HTTP/1.1\r\nHost: {ALLOWED}:{peer.port}\r\n\r\n")
    assert_well_formed(peer, "GET")
    assert not spy.visits


@pytest.mark.parametrize(
    "hosts",
    [
        ["{spy}"],
        ["private.test"],
        ["{peer}", "{spy}"],
        ["{spy}", "{peer}"],
        ["{peer}", "{peer}"],
        ["{peer},{spy}"],
        ["{peer} {spy}"],
        ["{peer}\r\n {spy}"],
        ["someone@{peer}"],
        ["{peer}/path"],
        ["{peer}\0{spy}"],
        ["127.0.0.2:1"],
        [""],
        [],
    ],
)
def test_host_fields(guest: Guest, peer: Peer, spy: Peer, hosts: list[str]) -> None:
    names = {"peer": f"{ALLOWED}:{peer.port}", "spy": f"{PRIVATE}:{peer.port}"}
    fields = "".join(f"Host: {host.format(**names)}\r\n" for host in hosts)
    send(guest, peer, f"GET / HTTP/1.1\r\n{fields}\r\n")
    assert_well_formed(peer, "GET")
    assert not spy.visits


SMUGGLED = "DELETE /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (["Content-Length: 0", f"Content-Length: {len(SMUGGLED)}"], SMUGGLED),
        ([f"Content-Length: {len(SMUGGLED)}", "Content-Length: 0"], SMUGGLED),
        ([f"Content-Length: 0, {len(SMUGGLED)}"], SMUGGLED),
        (["Content-Length: 5", CHUNKED], f"0\r\n\r\n{SMUGGLED}"),
        ([CHUNKED, f"Content-Length: {5 + len(SMUGGLED)}"], f"0\r\n\r\n{SMUGGLED}"),
        ([f"Content-Length: {5 + len(SMUGGLED)}", CHUNKED], f"0\r\n\r\n{SMUGGLED}"),
        (["Content-Length: -1"], SMUGGLED),
        (["Content-Length: +0"], SMUGGLED),
        (["Content-Length: 0x0"], SMUGGLED),
        (["Content-Length: 99999999999999999999999"], SMUGGLED),
        (["Content-Length : 0"], SMUGGLED),
        (["Content-Length:\x0b0"], SMUGGLED),
        (["Transfer-Encoding : chunked"], f"0\r\n\r\n{SMUGGLED}"),
        (["Transfer-Encoding: xchunked"], f"0\r\n\r\n{SMUGGLED}"),
        (["Transfer-Encoding: chunked, identity"], f"0\r\n\r\n{SMUGGLED}"),
        (["Transfer-Encoding: identity", CHUNKED], f"0\r\n\r\n{SMUGGLED}"),
        (["Transfer-Encoding:\tchunked", "Content-Length: 5"], f"0\r\n\r\n{SMUGGLED}"),
        ([" Transfer-Encoding: chunked"], f"0\r\n\r\n{SMUGGLED}"),
        (["X: y\r\n Transfer-Encoding: chunked"], f"0\r\n\r\n{SMUGGLED}"),
        (["X: y\nTransfer-Encoding: chunked"], f"0\r\n\r\n{SMUGGLED}"),
        ([CHUNKED], f"0\n\n{SMUGGLED}"),
        ([CHUNKED], f"-1\r\n\r\n{SMUGGLED}"),
        ([CHUNKED], f"0x0\r\n\r\n{SMUGGLED}"),
        ([CHUNKED], f"fffffffffffffffff0\r\n\r\n{SMUGGLED}"),
        ([CHUNKED], f"0\r\nX: y\r\n\r\n{SMUGGLED}"),
        ([CHUNKED], f"1;x=\n0\r\nx\r\n0\r\n\r\n{SMUGGLED}"),
        ([CHUNKED], f"1\r\nxyz\r\n0\r\n\r\n{SMUGGLED}"),
        ([], SMUGGLED),
    ],
)
def test_a_request_hides_no_other(
    new_guest: NewGuest, peer: Peer, fields: list[str], body: str
) -> None:
    guest = new_guest([{"host": ALLOWED, "ports": "*", "methods": ["POST"]}])
    head = "\r\n".join(["POST / HTTP/1.1", f"Host: {ALLOWED}:{peer.port}", *fields])
    send(guest, peer, f"{head}\r\n\r\n", body)
    assert_well_formed(peer, "POST")


@pytest.mark.parametrize(
    "line",
    [
        "X\r\nInjected: y",
        "Injected\0: y",
        "In jected: y",
        ": injected",
        "X: y\rInjected: z",
        "X: y\0z",
        "X: \x7f\x01",
        "X : y",
        "\tInjected: y",
        "(injected): y",
        "no colon",
        "X: " + "y" * 200_000,
    ],
)
def test_fields(guest: Guest, peer: Peer, line: str) -> None:
    send(guest, peer, f"GET / HTTP/1.1\r\nHost: {ALLOWED}:{peer.port}\r\n{line}\r\n\r\n")
    assert_well_formed(peer, "GET")
    assert all("injected" not in head.names() for head in peer.heads if "\n" not in line)


@pytest.mark.parametrize("count", [1_000, 100_000])
def test_very_many_fields(guest: Guest, peer: Peer, count: int) -> None:
    fields = "".join(f"X-{number}: y\r\n" for number in range(count))
    send(guest, peer, f"GET / HTTP/1.1\r\nHost: {ALLOWED}:{peer.port}\r\n{fields}\r\n")
    assert_well_formed(peer, "GET")


@pytest.mark.parametrize(
    "start",
    [
        "GET / HTTP/1.0",
        "GET /",
        "GET / HTTP/0.9",
        "GET / HTTP/2.0",
        "GET / HTTP/1.1 x",
        "G\0T / HTTP/1.1",
        "GE\tT / HTTP/1.1",
        "G(T / HTTP/1.1",
        "/ HTTP/1.1",
        " GET / HTTP/1.1",
        "\r\n\r\nGET / HTTP/1.1",
        "PRI * HTTP/2.0",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "\0" * 100,
    ],
)
def test_lines_that_are_none(guest: Guest, peer: Peer, start: str) -> None:
    send(guest, peer, f"{start}\r\nHost: {ALLOWED}:{peer.port}\r\n\r\n")
    assert_well_formed(peer, "GET")


def test_a_connect_is_no_tunnel(guest: Guest, peer: Peer, spy: Peer) -> None:
    inside = f"GET / HTTP/1.1\r\nHost: {PRIVATE}:{peer.port}\r\n\r\n"
    for target in (f"{PRIVATE}:{peer.port}", f"{ALLOWED}:{peer.port}"):
        send(guest, peer, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n", inside)
    failed(guest.fetch(peer.url(), method="CONNECT"))
    assert_well_formed(peer, "GET")
    assert not spy.visits


def test_fields_that_are_not_passed_on(guest: Guest, peer: Peer) -> None:
    answer = guest.fetch(peer.url(), headers=NOT_PASSED_ON | {"X-Hop": "1", "X-End": "2"})
    for head in peer.heads:
        assert head.names().isdisjoint(name.lower() for name in NOT_PASSED_ON), head.fields
        assert head.all("x-end") == ["2"]
    assert peer.heads or failed(answer)


def test_a_field_of_the_host_gives_no_grant(guest: Guest, peer: Peer) -> None:
    """One that the guest's own code would write is nothing that an action may write."""
    for name in ("attune-insecure-tls", "Attune-Insecure-TLS", "attune-secret", "ATTUNE-x"):
        guest.fetch(peer.url(), headers={name: "true"})
    assert not [name for head in peer.heads for name in head.names() if "attune" in name]


@pytest.mark.parametrize("userinfo", ["user:password", "127.0.0.2", "user@more", "%00"])
def test_userinfo_in_a_url(guest: Guest, peer: Peer, spy: Peer, userinfo: str) -> None:
    guest.run("follow", url=f"http://{userinfo}@{ALLOWED}:{peer.port}/")
    denied_or_failed = guest.run("follow", url=f"http://{ALLOWED}@{PRIVATE}:{peer.port}/")
    failed(denied_or_failed)
    assert_well_formed(peer, "GET")
    assert not spy.visits


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_proxy_is_a_host_like_any_other(
    guest: Guest, peer: Peer, spy: Peer, variable: str
) -> None:
    proxy = {variable: f"http://{PRIVATE}:{peer.port}"}
    result = guest.api.result(f"{guest.ref}.follow", {"url": peer.url()}, env_vars=proxy)
    if result["data"].get("status") != 200:
        denied(result["data"], PRIVATE)
    assert_well_formed(peer, "GET")
    assert not spy.visits
