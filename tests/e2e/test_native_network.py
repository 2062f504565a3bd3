"""The one way out of native runs: the server's API, and a proxy that heeds the permissions."""

import json
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import database
from support.api import Api, Json, data, page
from support.authority import Authority
from support.egress import reaching, signed_in
from support.names import Names, name_server, new_name, records
from support.native import DOOR, Programs, Shell, hostile, python, shell
from support.packs import unique
from support.peer import ALLOWED, OK, PRIVATE, Peer, Visit, answering, redirecting, then_silent
from support.runs import begun
from support.server import Server

HERE = [{"host": ALLOWED, "ports": "*"}]
ANYTHING = [{"host": "*", "ports": "*"}]
PACKS = "/api/v1/packs"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def names() -> Iterator[Names]:
    with name_server() as running:
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_server(
    request: pytest.FixtureRequest, authority: Authority, names: Names
) -> Iterator[Server]:
    """In the place of the one that other tests share: this one may reach 127.0.0.2."""
    with reaching(names, authority, **database(request)) as running:
        yield running


@pytest.fixture
def admin(server: Server) -> Api:
    return signed_in(server)


class Guest(Programs):
    """Native programs with these permissions."""

    def __init__(self, api: Api, authority: Authority, http: Any = None, **manifest: Any) -> None:
        manifest["output_format"] = "json"
        if http is not None:
            manifest["permissions"] = {"http": http}
        files = {"authority.pem": authority.file.read_bytes()}
        programs = {name: hostile(name, **manifest) for name in ("ask", "knock")}
        super().__init__(api, files, **programs)

    def ask(self, url: str, **more: Any) -> Json:
        answer: Json = self.data("ask", {"url": url, "cafile": "/pack/authority.pem", **more})
        return answer

    def own_api(self, path: str, **more: Any) -> Json:
        answer: Json = self.data("ask", {"path": path, **more})
        return answer

    def knock(self, *exchanges: list[str], **more: Any) -> list[str]:
        answers: list[str] = self.data("knock", {"exchanges": exchanges, **more})
        return answers


@pytest.fixture
def guest(admin: Api, authority: Authority) -> Guest:
    """May reach every port of 127.0.0.2."""
    return Guest(admin, authority, HERE)


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(answering(OK)) as peer:
        yield peer


def refused(answer: Json, *words: str) -> None:
    """403 with a text for the author, in which these words have to stand."""
    assert answer["status"] == 403, answer
    for word in ("denied", *words):
        assert word in answer["body"], answer


def may(*sets: str) -> dict[str, list[str]]:
    return {"default_execution_permission_set_refs": list(sets)}


# The server's own API.

CURL = 'curl -sS -o /tmp/answer -w "%{http_code} " '
SIGNED = '-H "Authorization: Bearer $ATTUNE_API_TOKEN" '


@pytest.fixture
def script(admin: Api) -> Shell:
    # What existing actions call; .config/prepare.sh test installs it.
    assert shutil.which("curl", path="/usr/local/bin:/usr/bin:/bin")
    return Shell(admin)


def test_curl_with_the_token(script: Shell) -> None:
    text = f'{CURL} "$ATTUNE_API_URL{PACKS}" {SIGNED}; cat /tmp/answer'
    action = script.action(text, **may("core.admin"))
    status, _, body = script.api.result(action)["stdout"].partition(" ")
    assert status == "200"
    assert "core" in [item["ref"] for item in json.loads(body)["items"]]


def test_curl_creates_and_reads(script: Shell) -> None:
    ref = unique()
    body = json.dumps({"ref": ref, "label": ref, "version": "1.0.0"})
    text = (
        f"{CURL} -X POST \"$ATTUNE_API_URL{PACKS}\" {SIGNED} -H 'Content-Type: application/json'"
        f" -d '{body}'; {CURL} \"$ATTUNE_API_URL{PACKS}/{ref}\" {SIGNED}"
    )
    assert script.api.result(script.action(text, **may("core.admin")))["stdout"] == "201 200"
    assert data(script.api.get(f"{PACKS}/{ref}"))["label"] == ref


def test_without_permission_sets_there_is_no_token(script: Shell) -> None:
    text = f'echo "[${{ATTUNE_API_TOKEN-unset}}]"; {CURL} "$ATTUNE_API_URL{PACKS}" {SIGNED}'
    assert script.says(text) == "[unset]\n401"
    given = script.action(text, **may("core.admin"))
    taken = script.api.result(given, permission_set_refs=[])["stdout"]
    assert taken == "[unset]\n401"
    asked = script.action(f'{CURL} "$ATTUNE_API_URL{PACKS}" {SIGNED}')
    assert script.api.result(asked, permission_set_refs=["core.viewer"])["stdout"] == "200"


def test_the_token_says_who_may_what(admin: Api, authority: Authority) -> None:
    execute = "/api/v1/executions/execute"
    asked = {"action_ref": "core.echo", "parameters": {"message": "hello"}}
    viewer = Guest(admin, authority, **may("core.viewer"))
    assert viewer.own_api(PACKS, signed=True)["status"] == 200
    assert viewer.own_api(execute, signed=True, body=asked)["status"] == 403
    executor = Guest(admin, authority, **may("core.executor"))
    started = executor.own_api(execute, signed=True, body=asked)
    assert started["status"] == 201
    number = json.loads(started["body"])["data"]["id"]
    assert admin.ended(number)["result"]["stdout"] == "hello"


def test_the_token_is_of_no_use_elsewhere(
    admin: Api, server: Server, authority: Authority, peer: Peer
) -> None:
    """Nobody holds it: it is a name that only the server knows what to do with."""
    guest = Guest(admin, authority, HERE, **may("core.admin"))
    token = guest.own_api("/health")["token"]
    assert token
    assert Api(server.url, token).get(PACKS).status_code == 401
    other = Guest(admin, authority)
    assert other.own_api(PACKS, token=token)["status"] == 401
    refused(guest.ask(peer.url(), token=token), "ATTUNE_API_TOKEN")
    assert not peer.heads


def test_guessed_tokens(admin: Api, authority: Authority) -> None:
    guest = Guest(admin, authority)
    for token in ("{{secret:ATTUNE_API_TOKEN}}", "", "x", "null", "Bearer x"):
        assert guest.own_api(PACKS, token=token)["status"] == 401
    assert guest.own_api("/health")["status"] == 200, "which needs none"


def test_the_api_needs_no_curl(admin: Api) -> None:
    """Bash alone is enough."""
    text = """
        authority=${ATTUNE_API_URL#http://}
        exec 3<> "/dev/tcp/${authority%:*}/${authority#*:}"
        printf 'GET /health HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n' >&3
        head -1 <&3
    """
    told = Programs(admin, run=shell(text)).says("run")
    assert told == "HTTP/1.1 200 OK"


def test_the_api_is_not_reached_around_the_door(
    admin: Api, server: Server, authority: Authority
) -> None:
    guest = Guest(admin, authority, ANYTHING, **may("core.admin"))
    port = server.url.rsplit(":", 1)[1]
    for host in (PRIVATE, "[::1]", "0.0.0.0", "169.254.169.254"):
        refused(guest.ask(f"http://{host}:{port}{PACKS}", signed=True))


@pytest.mark.parametrize("path", ["/no/such/path", "//x", "/../../etc/passwd", "/%00", "/?x=%zz"])
def test_odd_paths_of_the_api(guest: Guest, path: str) -> None:
    answer = guest.own_api(path)
    assert "error" in answer or 300 <= answer["status"] < 500 or path == "/?x=%zz"


# Through the proxy.


def test_a_grant_lets_a_request_through(guest: Guest, peer: Peer) -> None:
    answer = guest.ask(peer.url("/path?query=1"), headers={"X-One": "two"})
    assert (answer["status"], answer["body"]) == (200, "ok")
    [head] = peer.heads
    assert head.line == "GET /path?query=1 HTTP/1.1"
    assert head.all("host") == [f"{ALLOWED}:{peer.port}"]
    assert head.all("x-one") == ["two"]
    assert not [name for name in head.names() if name.startswith(("proxy-", "attune-", "x-forw"))]


def test_the_method_and_the_body_arrive(guest: Guest) -> None:
    bodies: list[bytes] = []

    def script(visit: Visit) -> None:
        while (asked := visit.request())[0].line:
            bodies.append(asked[1])
            visit.send(OK)

    with Peer(script) as peer:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert guest.ask(peer.url(), method=method, body="ü")["status"] == 200
    assert [head.line.split()[0] for head in peer.heads] == ["POST", "PUT", "PATCH", "DELETE"]
    assert bodies == ["ü".encode()] * 4


def test_curl_through_the_proxy(admin: Api, authority: Authority) -> None:
    files = {"authority.pem": authority.file.read_bytes()}
    with (
        Peer(answering(OK)) as plain,
        Peer(answering(OK), tls=authority.good(ALLOWED)) as secure,
    ):
        text = f"curl -sS {plain.url()}; echo; curl -sS --cacert authority.pem {secure.url()}"
        pack = Programs(admin, files, run=shell(text, permissions={"http": HERE}))
        assert pack.says("run") == "ok\nok"
    assert len(plain.heads) == len(secure.heads) == 1


def test_https_is_between_the_program_and_its_peer(guest: Guest, authority: Authority) -> None:
    with Peer(answering(OK), tls=authority.good(ALLOWED)) as peer:
        assert guest.ask(peer.url("/secure"))["body"] == "ok"
        [head] = peer.heads
        assert head.line == "GET /secure HTTP/1.1"
    with Peer(answering(OK), tls=authority.of_a_stranger(ALLOWED)) as stranger:
        assert "CERTIFICATE_VERIFY_FAILED" in guest.ask(stranger.url())["text"]
        assert not stranger.heads


def test_without_permissions_there_is_no_network(
    admin: Api, authority: Authority, peer: Peer
) -> None:
    for http in (None, []):
        guest = Guest(admin, authority, http)
        refused(guest.ask(peer.url()), "permissions")
        told = guest.ask(peer.url().replace("http:", "https:"))
        assert "403" in told["text"]
    assert not peer.visits


def test_shell_actions_made_by_api_have_no_grants(script: Shell, peer: Peer) -> None:
    told = script.says(f"curl -sS {peer.url()}")
    assert "denied" in told
    assert "permissions" in told
    assert not peer.visits


def test_another_host_port_or_method(
    admin: Api, authority: Authority, names: Names, peer: Peer
) -> None:
    granted, other = (names.set(new_name(), records(ALLOWED)) for _ in range(2))
    grant = {"host": granted, "ports": [peer.port], "methods": ["POST"]}
    guest = Guest(admin, authority, [grant])
    assert guest.ask(peer.url(host=granted), method="POST", body="x")["status"] == 200
    refused(guest.ask(peer.url(host=granted)), "GET")
    refused(guest.ask(peer.url(host=other), method="POST", body="x"), other, "permissions")
    refused(guest.ask(peer.url(), method="POST", body="x"), ALLOWED)
    with Peer(answering(OK)) as second:
        refused(guest.ask(second.url(host=granted), method="POST"), str(second.port))
        assert not second.visits
    assert len(peer.heads) == 1
    assert names.times_asked(other) == 0, "a name that is denied is told to nobody"


def connect(authority: str, *after: str) -> list[str]:
    return [f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n", *after]


def test_a_tunnel_needs_a_grant_without_methods(
    admin: Api, authority: Authority, peer: Peer
) -> None:
    guest = Guest(admin, authority, [{"host": ALLOWED, "ports": "*", "methods": ["GET"]}])
    [told] = guest.knock(connect(f"{ALLOWED}:{peer.port}"))
    assert told.startswith("HTTP/1.1 403 ")
    assert "no `methods`" in told
    assert not peer.visits
    assert guest.ask(peer.url())["status"] == 200, "the control"


def test_a_tunnel_carries_anything(guest: Guest) -> None:
    def script(visit: Visit) -> None:
        visit.send(visit.exactly(5)[::-1])

    with Peer(script) as peer:
        [told] = guest.knock(connect(f"{ALLOWED}:{peer.port}", "\x00abc\xff"))
    head, _, rest = told.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 ")
    assert rest == "\xffcba\x00"


def test_private_networks_need_the_operator(admin: Api, authority: Authority, names: Names) -> None:
    guest = Guest(admin, authority, ANYTHING)
    named = names.set(new_name(), records(PRIVATE))
    with Peer(answering(OK), PRIVATE) as peer:
        for host in (PRIVATE, named, "10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.3]"):
            refused(guest.ask(peer.url(host=host)), "--egress-private")
            [told] = guest.knock(connect(f"{host}:{peer.port}"))
            assert told.startswith("HTTP/1.1 403 ")
            assert "--egress-private" in told
        assert not peer.visits


def test_redirects_are_followed_by_the_program_and_checked_again(
    admin: Api, authority: Authority
) -> None:
    guest = Guest(admin, authority, HERE)
    with (
        Peer(answering(OK)) as good,
        Peer(answering(OK), PRIVATE) as bad,
        Peer(redirecting(good.url("/there"))) as to_good,
        Peer(redirecting(bad.url())) as to_bad,
    ):
        answer = guest.ask(to_good.url())
        assert (answer["status"], answer["url"]) == (200, good.url("/there"))
        refused(guest.ask(to_bad.url()), PRIVATE)
        assert not bad.visits


def test_a_denial_is_recorded(admin: Api, authority: Authority) -> None:
    guest = Guest(admin, authority, HERE)
    number = admin.submit(f"{guest.ref}.ask", {"url": "https://example.com/secret?query"})["id"]
    assert admin.ended(number)["status"] == "completed"
    query = {"resource_type": "execution", "resource_id": number}
    [row] = page(admin.get("/api/v1/audit-events", **query))[0]
    assert (row["event_type"], row["outcome"]) == ("egress.denied", "denied")
    details = data(admin.get(f"/api/v1/audit-events/{row['id']}"))["details"]
    assert (details["host"], details["port"]) == ("example.com", 443)
    assert "permissions" in details["reason"]
    assert "secret" not in str(details)


def test_peers_that_fail(guest: Guest) -> None:
    for script, status in (
        (lambda visit: visit.request() and None, 502),
        (answering(b"no HTTP at all\r\n\r\n"), 502),
    ):
        with Peer(script) as peer:
            assert guest.ask(peer.url())["status"] == status
    with Peer(answering(OK)) as peer:
        port = peer.port
    assert guest.ask(f"http://{ALLOWED}:{port}/")["status"] == 502
    told = guest.ask(f"http://{new_name()}/")
    assert told["status"] in (403, 502)


def test_a_peer_that_says_nothing_ends_with_the_run(guest: Guest, admin: Api) -> None:
    with Peer(then_silent()) as peer:
        number = admin.submit(f"{guest.ref}.ask", {"url": peer.url()})["id"]
        peer.wait_for(1)
        assert admin.cancel(number).status_code == 200
        assert admin.ended(number)["status"] == "cancelled"
        peer.wait_until_left()


def test_a_tunnel_ends_with_the_run(guest: Guest, admin: Api) -> None:
    with Peer(lambda visit: visit.until_ended()) as peer:
        given = {"exchanges": [connect(f"{ALLOWED}:{peer.port}", "x")], "patience": 60}
        number = admin.submit(f"{guest.ref}.knock", given)["id"]
        peer.wait_for(1)
        assert admin.cancel(number).status_code == 200
        assert admin.ended(number)["status"] == "cancelled"
        peer.wait_until_left()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_large_bodies_both_ways(guest: Guest, authority: Authority, scheme: str) -> None:
    size = 20_000_000
    sizes: list[int] = []

    def script(visit: Visit) -> None:
        sizes.append(len(visit.request()[1]))
        visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, bytes(size))

    tls = authority.good(ALLOWED) if scheme == "https" else None
    with Peer(script, tls=tls) as peer:
        answer = guest.ask(peer.url(), size=size)
    assert (answer["status"], answer["size"], sizes) == (200, size, [size])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_answer_comes_as_it_is_sent(guest: Guest, authority: Authority, scheme: str) -> None:
    """Its second part is sent only when the program has told that it has the first."""
    go_on = threading.Event()

    def script(visit: Visit) -> None:
        visit.request()
        visit.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        assert go_on.wait(20)
        visit.send(b"6\r\nsecond\r\n0\r\n\r\n")

    tls = authority.good(ALLOWED) if scheme == "https" else None
    with Peer(script, tls=tls) as peer:
        given = {"url": peer.url(), "tells": True, "cafile": "/pack/authority.pem"}
        number = begun(guest.api, "ask", guest.ref, **given)
        go_on.set()
        assert guest.api.ended(number)["result"]["data"]["body"] == "firstsecond"


# Whoever knocks without manners.


def test_several_requests_on_one_connection(guest: Guest, peer: Peer) -> None:
    url = peer.url("/one")
    get = f"GET {url} HTTP/1.1\r\nhost: x\r\n\r\n"
    health = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
    last = "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    told, apart = guest.knock([get + health + get + last], [get, health, get, last], patience=5)
    assert told.count("HTTP/1.1 200 OK") == apart.count("HTTP/1.1 200 OK") == 4
    assert [head.line for head in peer.heads] == ["GET /one HTTP/1.1"] * 4


POST = "POST http://{peer}/ HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + "transfer-encoding: chunked\r\n"
MALFORMED = [
    "",
    "\r\n\r\n",
    "GET\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "nonsense\x00\xff\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET /" + "x" * 200_000 + " HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET /health HTTP/1.1\r\n" + "x: y\r\n" * 10_000 + "\r\n",
    "GET /health HTTP/1.1\r\nx: " + "y" * 200_000 + "\r\n\r\n",
    "GET /health HTTP/1.1\r\nhost: x\r\n",
    "GET ftp://{peer}/ HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET file:///etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET http:///x HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET http://user:password@{peer}/ HTTP/1.1\r\nhost: x\r\n\r\n",
    "POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    POST + "content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
    POST + "content-length: 99999\r\n\r\nshort",
    CHUNKED + "\r\nzz\r\n",
    CHUNKED + "\r\nffffffffffffffff\r\n",
    CHUNKED + "content-length: 4\r\n\r\n0\r\n\r\nDELETE /smuggled HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET http://{peer}/ HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    "GET http://{peer}/ HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\r\n",
    "CONNECT / HTTP/1.1\r\nhost: x\r\n\r\n",
    "CONNECT {host} HTTP/1.1\r\nhost: x\r\n\r\n",
    "CONNECT {host}:0 HTTP/1.1\r\nhost: x\r\n\r\n",
    "CONNECT {host}:99999 HTTP/1.1\r\nhost: x\r\n\r\n",
    "CONNECT http://{peer}/ HTTP/1.1\r\nhost: x\r\n\r\n",
    "CONNECT user@{peer} HTTP/1.1\r\nhost: x\r\n\r\n",
    "CONNECT :80 HTTP/1.1\r\nhost: x\r\n\r\n",
    "CONNECT {peer} HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc",
    "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
    "TRACE http://{peer}/ HTTP/1.1\r\nhost: x\r\n\r\n",
]


def test_malformed_requests(guest: Guest, peer: Peer) -> None:
    """Each is answered or left; the door stays open for the next, and the peer sees no nonsense."""
    at = {"{peer}": f"{ALLOWED}:{peer.port}", "{host}": ALLOWED}
    written = []
    for text in MALFORMED:
        for mark, value in at.items():
            text = text.replace(mark, value)
        written.append([text])
    health = ["GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"]
    exchanges = [exchange for text in written for exchange in (text, health)]
    answers = guest.knock(*exchanges, patience=0.5)
    for text, answer in zip(written, answers[::2], strict=True):
        assert answer == "" or answer.startswith("HTTP/1."), (text, answer)
        assert "HTTP/1.1 500" not in answer, (text, answer)
    assert all(answer.startswith("HTTP/1.1 200") for answer in answers[1::2])
    for head in peer.heads:
        method, target, version = head.line.split(" ")
        assert method in ("GET", "POST", "TRACE")
        assert (target, version) == ("/", "HTTP/1.1")
        assert head.all("host") == [at["{peer}"]]
        assert len(head.all("content-length") + head.all("transfer-encoding")) <= 1
        assert not head.names() & {"upgrade", "expect", "proxy-connection"}
    assert b"smuggled HTTP" not in peer.received


def test_many_connections_that_say_nothing(guest: Guest, admin: Api) -> None:
    """They are the run's own trouble; nobody else waits."""
    text = f"""
        import socket, time
        kept = []
        for _ in range(150):
            kept.append(socket.create_connection({tuple(DOOR[7:].split(":"))}, timeout=2))
        print("begun", flush=True)
        time.sleep(600)
    """
    crowd = Programs(admin, run=python(text))
    number = crowd.begun("run")
    assert guest.own_api("/health")["status"] == 200
    assert admin.cancel(number).status_code == 200
    assert admin.ended(number)["status"] == "cancelled"
