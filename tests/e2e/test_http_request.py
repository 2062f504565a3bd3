"""T3.18: `core.http_request`: what it sends, and what it makes of an answer or of none."""

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import database
from support.api import SECRETS, Api, Json
from support.authority import Authority
from support.egress import reaching, signed_in
from support.names import name_server, new_name
from support.packs import unique
from support.peer import (
    ALLOWED,
    OK,
    PRIVATE,
    Peer,
    Script,
    Visit,
    answering,
    redirecting,
    then_silent,
)
from support.server import Server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_server(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Server]:
    """In the place of the one that other tests share: this one may reach 127.0.0.2."""
    settings = {"egress_insecure_tls": "on", **database(request)}
    with name_server() as names, reaching(names, authority, **settings) as running:
        yield running


@pytest.fixture
def admin(server: Server) -> Api:
    return signed_in(server)


def ask(api: Api, url: str, **parameters: Any) -> Json:
    """What the action says came of a request; it completes, whatever that is."""
    answer: Json = api.result("core.http_request", {"url": url, **parameters})["data"]
    assert isinstance(answer["elapsed_ms"], int)
    return answer


def response(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_an_answer(admin: Api) -> None:
    with Peer(answering(response(b'{"a": [1]}', "Content-Type: application/json"))) as peer:
        answer = ask(admin, peer.url("/x"))
    del answer["elapsed_ms"]
    assert answer == {
        "status_code": 200,
        "headers": {"content-length": "10", "content-type": "application/json"},
        "body": '{"a": [1]}',
        "json": {"a": [1]},
        "url": peer.url("/x"),
        "success": True,
    }
    [head] = peer.heads
    assert head.line == "GET /x HTTP/1.1"
    assert head.all("accept-encoding") == ["gzip, deflate"]


@pytest.mark.parametrize("status", ["199 x", "204 x", "300 x", "404 Not Found", "500 x", "599 x"])
def test_a_status_is_no_failure(admin: Api, status: str) -> None:
    body = b"" if status == "204 x" else b"sorry"
    with Peer(answering(response(body, status=status))) as peer:
        answer = ask(admin, peer.url())
    if status == "199 x":
        assert answer["success"] is False, "an answer that never comes"
        return
    assert answer["status_code"] == int(status[:3])
    assert answer["success"] is (status == "204 x")
    assert answer["body"] == body.decode()
    assert "error" not in answer


def test_what_is_sent(admin: Api) -> None:
    with Peer(answering(OK)) as peer:
        ask(
            admin,
            peer.url("/a b/ü?x=1"),
            method="put",
            headers={"X-One": "1", "x-two": 2, "User-Agent": "mine"},
            query_params={"list": [1, "two"], "none": None, "text": "a&b ü", "yes": True},
            json_body={"ü": [1, None]},
        )
        [head] = peer.heads
        assert head.line == (
            "PUT /a%20b/%C3%BC?x=1&list=1&list=two&text=a%26b+%C3%BC&yes=true HTTP/1.1"
        )
        assert (head.all("x-one"), head.all("x-two")) == (["1"], ["2"])
        assert head.all("user-agent") == ["mine"]
        assert head.all("content-type") == ["application/json"]
        assert peer.received.endswith('{"ü": [1, null]}'.encode())


@pytest.mark.parametrize(
    ("parameters", "content_type", "body"),
    [
        ({"body": "text ü"}, [], "text ü"),
        ({"body": "x", "headers": {"content-type": "text/x"}}, ["text/x"], "x"),
        ({"json_body": {}}, ["application/json"], "{}"),
        ({"json_body": {}, "headers": {"Content-Type": "a/b"}}, ["a/b"], "{}"),
        ({}, [], ""),
    ],
)
def test_bodies(admin: Api, parameters: Json, content_type: list[str], body: str) -> None:
    received: list[tuple[list[str], bytes]] = []

    def script(visit: Visit) -> None:
        head, content = visit.request()
        received.append((head.all("content-type"), content))
        visit.send(OK)

    with Peer(script) as peer:
        assert ask(admin, peer.url(), method="POST", **parameters)["success"]
    assert received == [(content_type, body.encode())]


@pytest.mark.parametrize(
    ("parameters", "sent"),
    [
        ({"auth_type": "bearer", "auth_token": "t0ken-of-a-test"}, "Bearer t0ken-of-a-test"),
        (
            {"auth_type": "basic", "auth_username": "ü", "auth_password": "a:b"},
            "Basic " + base64.b64encode("ü:a:b".encode()).decode(),
        ),
        ({"auth_type": "none", "auth_token": "x"}, None),
        ({"auth_type": "bearer", "auth_token": "x", "headers": {"AUTHORIZATION": "y"}}, "y"),
    ],
)
def test_signing_in(admin: Api, parameters: Json, sent: str | None) -> None:
    with Peer(answering(OK)) as peer:
        assert ask(admin, peer.url(), **parameters)["success"]
    assert peer.heads[0].all("authorization") == ([sent] if sent else [])


def test_a_name_and_password_in_the_url(admin: Api) -> None:
    with Peer(answering(OK)) as peer:
        answer = ask(admin, peer.url(host=f"me:p%40ss@{ALLOWED}"))
    assert answer["url"] == peer.url()
    assert peer.heads[0].all("authorization") == ["Basic " + base64.b64encode(b"me:p@ss").decode()]


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (302, "PUT", "PUT", b"x"),
        (303, "PUT", "GET", b""),
        (307, "POST", "POST", b"x"),
        (308, "POST", "POST", b"x"),
    ],
)
def test_redirects(admin: Api, status: int, method: str, then: str, body: bytes) -> None:
    seen: list[tuple[str, bytes]] = []

    def script(visit: Visit) -> None:
        while (asked := visit.request())[0].line:
            head, content = asked
            seen.append((head.line.rsplit(" ", 1)[0], content))
            field = "location: ../there?x#fragment"
            visit.send(OK if "there" in head.line else response(b"", field, status=f"{status} x"))

    with Peer(script) as peer:
        answer = ask(admin, peer.url("/a/here"), method=method, body="x")
    assert (answer["status_code"], answer["url"]) == (200, peer.url("/there?x"))
    assert seen == [(f"{method} /a/here", b"x"), (f"{then} /there?x", body)]


def test_redirects_that_are_not_followed(admin: Api) -> None:
    with Peer(redirecting("/")) as peer:
        answer = ask(admin, peer.url(), follow_redirects=False)
        assert (answer["status_code"], answer["success"], "error" in answer) == (302, False, False)
        answer = ask(admin, peer.url(), max_redirects=3)
        assert (answer["status_code"], answer["success"]) == (302, False)
        assert answer["error"] == "more than 3 redirects"
    assert len(peer.heads) == 1 + 4


def test_what_was_for_one_host_is_not_told_to_another(admin: Api) -> None:
    given = {"auth_type": "bearer", "auth_token": "t0ken-of-a-test", "headers": {"Cookie": "a=b"}}
    with Peer(answering(OK)) as other, Peer(redirecting(other.url())) as peer:
        assert ask(admin, peer.url(), **given)["success"]
    assert peer.heads[0].names() >= {"authorization", "cookie"}
    assert other.heads[0].names().isdisjoint({"authorization", "cookie"})


def test_a_cookie_that_is_set_on_the_way(admin: Api) -> None:
    def script(visit: Visit) -> None:
        field = "set-cookie: session=1; Path=/\r\nlocation: /in"
        while head := visit.request()[0]:
            visit.send(OK if "/in" in head.line else response(b"", field, status="302 x"))

    with Peer(script) as peer:
        assert ask(admin, peer.url())["success"]
    assert [head.all("cookie") for head in peer.heads] == [[], ["session=1"]]


@pytest.mark.parametrize(
    ("body", "fields", "text"),
    [
        (gzip.compress(b"text"), ["content-encoding: gzip"], "text"),
        (zlib.compress(b"text"), ["content-encoding: deflate"], "text"),
        (zlib.compress(b"text")[2:-4], ["content-encoding: deflate"], "text"),
        (gzip.compress(zlib.compress(b"text")), ["content-encoding: deflate, gzip"], "text"),
        ("ü".encode("latin-1"), ["content-type: text/plain; charset=iso-8859-1"], "ü"),
        ("ü".encode(), ["content-type: text/plain"], "ü"),
        ("ü".encode(), ["content-type: text/plain; charset=no-such"], "ü"),
        (b"\xef\xbb\xbftext", [], "text"),
        (b"a\0b", [], "a\0b"),
        (b"", [], ""),
        (b"\xff\xfe\x00", ["content-type: image/x"], None),
        (b"\xff", ["content-encoding: br"], None),
    ],
)
def test_texts_and_others(admin: Api, body: bytes, fields: list[str], text: str | None) -> None:
    with Peer(answering(response(body, *fields))) as peer:
        answer = ask(admin, peer.url())
    assert answer["success"]
    assert answer["body"] == text
    coded = answer.get("body_base64")
    assert coded == (None if text is not None else base64.b64encode(body).decode())


@pytest.mark.parametrize(
    ("body", "document"),
    [
        ("null", None),
        ("[1, 2.5, true]", [1, 2.5, True]),
        ("no json", None),
        ("NaN", None),
        ("[1e999]", None),
        ("[" + "9" * 5_000 + "]", None),
        ("[" * 5_000 + "]" * 5_000, None),
        ('["\\ud800"]', ["?"]),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_documents(admin: Api, body: str, document: object) -> None:
    with Peer(answering(response(body.encode()))) as peer:
        answer = ask(admin, peer.url())
    assert (answer["body"], answer["json"], answer["success"]) == (body, document, True)


@pytest.mark.parametrize("character", ["x", "\0"], ids=["text", "escapes"])
def test_a_large_body_is_cut(admin: Api, character: str) -> None:
    with Peer(answering(response(character.encode() * 5_000_000))) as peer:
        answer = ask(admin, peer.url())
    assert (answer["truncated"], answer["success"], answer["json"]) == (True, True, None)
    assert len(answer["body"]) in (4_000_000, 1_000_000)


def test_a_large_document_that_fits(admin: Api) -> None:
    document = ["x" * 100] * 20_000
    with Peer(answering(response(json.dumps(document).encode()))) as peer:
        answer = ask(admin, peer.url())
    assert "truncated" not in answer
    assert answer["json"] == document


def test_a_bomb_is_not_unpacked(admin: Api) -> None:
    bomb = gzip.compress(bytes(200_000_000), compresslevel=1)
    with Peer(answering(response(bomb, "content-encoding: gzip"))) as peer:
        assert ask(admin, peer.url())["truncated"] is True


def gone(visit: Visit) -> None:
    visit.request()


@pytest.mark.parametrize(
    ("script", "status", "body"),
    [
        (gone, None, ""),
        (then_silent(), None, ""),
        (then_silent(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"), 200, "part"),
        (answering(b"no HTTP\r\n\r\n"), None, ""),
        (answering(response(b"no gzip", "content-encoding: gzip")), 200, ""),
        (redirecting("ftp://example.org/"), 302, ""),
        (redirecting(f"http://{PRIVATE}/"), None, ""),
    ],
    ids="gone silent part garbage encoding scheme denied".split(),
)
def test_no_answer_or_half_of_one(
    admin: Api, script: Script, status: int | None, body: str
) -> None:
    with Peer(script) as peer:
        answer = ask(admin, peer.url(), timeout=1)
    assert answer["success"] is False
    assert len(answer["error"]) > 10
    assert (answer["status_code"], answer["body"], answer["json"]) == (status, body, None)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        (f"http://{ALLOWED}:1/", "refused"),
        (f"http://{new_name()}/", "known"),
        ("http://127.0.0.1/", "denied"),
        ("http://169.254.169.254/", "denied"),
        ("http://[fd00:ec2::254]/", "denied: fd00:ec2::254 is"),
    ],
)
def test_nobody_to_ask(admin: Api, url: str, word: str) -> None:
    answer = ask(admin, url)
    assert (answer["status_code"], answer["success"]) == (None, False)
    assert word in answer["error"].lower()


def test_certificates(admin: Api, authority: Authority) -> None:
    with Peer(answering(OK), tls=authority.good(ALLOWED)) as peer:
        assert ask(admin, peer.url())["success"]
    with Peer(answering(OK), tls=authority.of_a_stranger(ALLOWED)) as peer:
        answer = ask(admin, peer.url())
        assert "certificate" in answer["error"]
        assert ask(admin, peer.url(), verify_ssl=False)["success"]


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({}, "url"),
        ({"url": "example.org"}, "url"),
        ({"url": "ftp://example.org"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://[::1"}, "url"),
        ({"url": "http://x:99999/"}, "url"),
        ({"url": "http://x/", "method": "GET /"}, "method"),
        ({"url": "http://x/", "method": "CONNECT"}, "method"),
        ({"url": "http://x/", "headers": {"a b": "c"}}, "headers"),
        ({"url": "http://x/", "headers": {"a": "b\r\nc: d"}}, "headers"),
        ({"url": "http://x/", "body": "x", "json_body": {}}, "json_body"),
        ({"url": "http://x/", "auth_type": "bearer"}, "auth_token"),
        ({"url": "http://x/", "auth_type": "digest"}, "auth_type"),
        ({"url": "http://x/", "timeout": 0}, "timeout"),
    ],
)
def test_parameters_that_make_no_request(admin: Api, parameters: Json, name: str) -> None:
    ended = admin.run("core.http_request", parameters)
    assert ended["status"] == "failed"
    assert name in ended["result"]["error"]


def test_secrets_are_not_shown(admin: Api) -> None:
    secret = unique("secret")
    SECRETS.add(secret)
    with Peer(answering(OK)) as peer:
        given = {"url": peer.url(), "auth_type": "bearer", "auth_token": secret}
        ended = admin.run("core.http_request", given)
    assert peer.heads[0].all("authorization") == [f"Bearer {secret}"]
    assert secret not in str(ended)
