"""Python's HTTP clients, unmodified, in an action: what they are used for, over http and https.

Each client takes all steps in one run, against a web server of the tests' own; a test looks at
one step. What the server permits is for `tests/security`: here it permits what is asked for.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from support.api import Api, Json, data
from support.authority import Authority
from support.clients import clients_pack
from support.logs import LogCheck
from support.server import LOGIN, PASSWORD, Server
from support.web import Web, web

CLIENTS = ("urllib", "http.client", "urllib3", "requests", "httpx", "httpx-async")
STEPS = (
    "get methods post chunked large stream redirect packed basic bodiless until_close early slow "
    "silent cut cut_chunk hang_up"
).split()
BYTES = 5_242_880


@dataclass
class World:
    """A server with the pack of clients, and what there is for them to reach."""

    api: Api
    webs: dict[str, Web]
    stranger: Web

    def take(self, client: str, steps: list[tuple[str, str]], action: str = "run") -> Json:
        parameters = {"client": client, "steps": steps}
        answers: Json = self.api.result(f"clients.{action}", parameters)["data"]
        return answers

    def step(self, client: str, name: str, url: str, action: str = "run") -> Json:
        step: Json = self.take(client, [(name, url)], action)[name]
        return step


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="attune-http-") as folder:
        home = Path(folder)
        authority, other = Authority(home / "ca"), Authority(home / "other")
        settings = {"egress_private": "127.0.0.0/8", "egress_insecure_tls": "on"}
        server = Server(home / "server", egress_roots=str(authority.file), **settings)
        certificate, strange = authority.signed("127.0.0.1"), other.signed("127.0.0.1")
        try:
            api = Api(server.start().url).login(LOGIN, PASSWORD)
            data(api.upload(clients_pack()), 201)
            with web() as plain, web(certificate) as secure, web(strange) as stranger:
                yield World(api, {"http": plain, "https": secure}, stranger)
            log = LogCheck(server.log)
            log.offset = 0
            assert log.problems() == []
        finally:
            server.close()


@pytest.fixture(scope="module")
def taken(world: World):
    """What came of all steps, of a client over a scheme."""

    @cache
    def take(client: str, scheme: str) -> Json:
        return world.take(client, [(step, world.webs[scheme].url) for step in STEPS])

    return take


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def steps(taken, client: str, scheme: str) -> Json:
    return taken(client, scheme)


def told(error: Json, *names: str) -> bool:
    """Whether one of these classes is in the chain of an error."""
    classes = [text.partition(":")[0].rpartition(".")[2] for text in error["error"]]
    return any(name in classes for name in names)


def test_a_request_arrives_as_it_was_meant(steps: Json, world: World, scheme: str) -> None:
    host = f"127.0.0.1:{world.webs[scheme].port}"
    assert steps["get"] == [200, "/echo?a=1&b=%20", "yes", host]


def test_every_method(steps: Json) -> None:
    methods = ("PUT", "PATCH", "DELETE", "HEAD")
    assert steps["methods"] == [[200, method] for method in methods]


def test_a_body(steps: Json) -> None:
    assert steps["post"] == ["POST", '{"a": 1}', "8"]


def test_a_body_in_chunks(steps: Json) -> None:
    assert steps["chunked"] == [200_000, "chunked"]


def test_large_bodies(steps: Json) -> None:
    digest = hashlib.sha256(bytes(range(256)) * (BYTES // 256)).hexdigest()
    assert steps["large"] == [BYTES, digest, 5_000_000]


def test_a_response_in_pieces(steps: Json) -> None:
    assert steps["stream"] == ["chunk 0", "chunk 1", "chunk 2", ""]


def test_redirects_and_cookies(steps: Json) -> None:
    assert steps["redirect"] == {"cookie": "flavour=vanilla"}


def test_compressed_responses(steps: Json) -> None:
    assert steps["packed"] == {"packed": True}


def test_basic_authentication(steps: Json) -> None:
    assert steps["basic"] == {"authenticated": True}


def test_responses_without_a_body(steps: Json) -> None:
    assert steps["bodiless"] == [204, 304]


def test_a_response_that_the_end_of_the_connection_ends(steps: Json) -> None:
    assert steps["until_close"] == "until the end"


def test_an_answer_before_the_end_of_the_request(steps: Json) -> None:
    assert steps["early"] == 413


def test_a_server_that_is_slow_to_answer(steps: Json, client: str) -> None:
    expected = {"urllib3": "ReadTimeoutError", "requests": "ReadTimeout"}
    expected |= {"httpx": "ReadTimeout", "httpx-async": "ReadTimeout"}
    assert told(steps["slow"], expected.get(client, "TimeoutError"))


def test_a_server_that_stops_in_the_middle(steps: Json) -> None:
    assert told(steps["silent"], "TimeoutError", "ReadTimeout", "ReadTimeoutError")


@pytest.mark.parametrize("step", ["cut", "cut_chunk"])
def test_a_server_that_hangs_up_in_the_middle(steps: Json, step: str) -> None:
    # The last is urllib3's where the end is between two chunks.
    assert told(steps[step], "IncompleteRead", "RemoteProtocolError", "ChunkedEncodingError")


def test_a_server_that_hangs_up_at_once(steps: Json) -> None:
    assert told(steps["hang_up"], "RemoteDisconnected", "RemoteProtocolError")


def test_a_port_where_nobody_listens(world: World, client: str) -> None:
    with web() as gone:
        url = gone.url
    error = world.step(client, "reach", url)
    assert told(error, "ConnectionRefusedError")
    assert told(error, "URLError", "ConnectionRefusedError", "ConnectionError", "ConnectError",
                "NewConnectionError")  # fmt: skip


def test_a_name_that_does_not_exist(world: World, client: str) -> None:
    assert told(world.step(client, "reach", "http://no-such-name.invalid"), "gaierror")


def test_a_certificate_of_a_stranger(world: World, client: str) -> None:
    error = world.step(client, "reach", world.stranger.url)
    assert told(error, "SSLCertVerificationError")
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)


def test_a_server_that_speaks_no_tls(world: World, client: str) -> None:
    url = world.webs["http"].url.replace("http:", "https:")
    assert told(world.step(client, "reach", url), "SSLError")


def test_a_certificate_that_need_not_be_valid(world: World, client: str) -> None:
    assert world.step(client, "reach_unverified", world.stranger.url, "insecure") == 200


def test_insecure_tls_without_a_grant(world: World, client: str) -> None:
    error = world.step(client, "reach_unverified", world.stranger.url)
    assert told(error, "PermissionError")
    assert "denied: " in str(error)


@pytest.mark.parametrize("wanted", ["http", "https"])
def test_an_action_without_a_network(world: World, client: str, wanted: str) -> None:
    error = world.step(client, "reach", world.webs[wanted].url, "offline")
    assert told(error, "PermissionError")
    assert "denied: " in str(error)


def test_proxies_are_refused(world: World, client: str) -> None:
    error = world.step(client, "through_proxy", world.webs["http"].url)
    assert told(error, "PermissionError")
    assert "proxies are not available" in str(error)


def test_a_hundred_requests_at_once(world: World, scheme: str) -> None:
    target = world.webs[scheme]
    parameters = {"url": f"{target.url}/slow?seconds=4", "count": 100}
    assert world.api.result("clients.at_once", parameters)["data"] == [200] * 100
    assert target.most_at_once > 50


def test_connections_that_are_left_open(world: World, scheme: str) -> None:
    target = world.webs[scheme]
    parameters = {"url": target.url, "port": target.port}
    answer = world.api.result("clients.careless", parameters)["data"]
    assert answer == {"cancelled": 10, "status": 200}
