"""The server's own API is served inside: without a grant, and without a way to anything else."""

from collections.abc import Callable

import pytest

from support.api import Api
from support.authority import Authority
from support.egress import reaching, signed_in
from support.guests import ANYTHING, Guest, denied, failed
from support.names import Names, new_name, records
from support.peer import ALLOWED, OK, Peer, answering
from support.server import PASSWORD, Server

NewGuest = Callable[..., Guest]

EXECUTE = "/api/v1/executions/execute"


def test_it_needs_no_grant(new_guest: NewGuest) -> None:
    answer = new_guest().run("own_api", path="/health")
    assert answer["status"] == 200, answer


def test_it_gives_no_rights(new_guest: NewGuest) -> None:
    answer = new_guest().run("own_api", path="/api/v1/packs")
    assert "401" in failed(answer)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.0.0.4:0", "0.0.0.0:0"])
def test_it_is_there_when_nothing_may_be_reached(
    names: Names, authority: Authority, listen: str
) -> None:
    settings = {"egress_hosts": "nobody.test", "egress_private": "127.0.0.9/32"}
    with reaching(names, authority, listen=listen, **settings) as server:
        guest = Guest(signed_in(server))
        assert guest.run("own_api")["status"] == 200
        denied(guest.fetch(f"http://{ALLOWED}:{server.url.rsplit(':', 1)[1]}/health"))


def test_its_address_by_another_name(new_guest: NewGuest, names: Names, server: Server) -> None:
    """Only what `ATTUNE_API_URL` says is served inside."""
    port = server.url.rsplit(":", 1)[1]
    name = names.set(new_name(), records("127.0.0.1"))
    guest = new_guest(ANYTHING)
    for host in ("localhost", name, "127.0.0.3", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
        failed(guest.fetch(f"http://{host}:{port}/health"))


def test_its_neighbours_stay_out_of_reach(new_guest: NewGuest) -> None:
    with Peer(answering(OK), "127.0.0.1") as peer:
        denied(new_guest().fetch(peer.url()))
        denied(new_guest(ANYTHING).fetch(peer.url()), "127.0.0.1")
    assert not peer.visits


@pytest.mark.parametrize("path", ["//127.0.0.3/x", "/../../x", "/%00", "/x" * 5_000])
def test_odd_paths(new_guest: NewGuest, path: str) -> None:
    failed(new_guest().run("own_api", path=path))


def test_a_long_answer_of_it_ends_with_the_run(new_guest: NewGuest) -> None:
    """A run that listens to its own server's events can be cancelled."""
    guest = new_guest()
    number = guest.submit("own_api", path="/api/v1/executions/stream")
    assert guest.api.ended(number)["status"] == "completed", "401 without a token"


# With the execution's token.


def may(*sets: str) -> dict[str, list[str]]:
    return {"default_execution_permission_set_refs": list(sets)}


def test_an_execution_may_what_its_permission_sets_say(new_guest: NewGuest) -> None:
    viewer = new_guest(**may("core.viewer"))
    assert viewer.run("own_api", path="/api/v1/packs", signed=True)["status"] == 200
    asked = {"action_ref": "core.echo", "parameters": {"message": "hello"}}
    refused = viewer.run("own_api", path=EXECUTE, signed=True, body=asked)
    assert "403" in failed(refused)
    executor = new_guest(**may("core.executor"))
    assert executor.run("own_api", path=EXECUTE, signed=True, body=asked)["status"] == 201


def test_an_execution_starts_the_next(new_guest: NewGuest) -> None:
    """Three levels deep, and what it is given is passed on."""
    guest = new_guest(**may("core.executor"))
    depth = 3
    answer = guest.run("chain", depth=depth, given="a word")
    for _ in range(depth):
        answer = guest.api.ended(answer["next"])["result"]["data"]
    assert answer == {"given": "a word"}


def test_without_permission_sets_there_is_no_token(new_guest: NewGuest) -> None:
    guest = new_guest()
    assert guest.run("own_api", path="/health")["token"] is None
    guessed = "{{secret:ATTUNE_API_TOKEN}}"
    assert "401" in failed(guest.run("own_api", path="/api/v1/packs", token=guessed))


def test_the_token_is_of_no_use_elsewhere(new_guest: NewGuest, server: Server) -> None:
    """Nobody holds it: it is a name that only the server knows what to do with."""
    guest = new_guest(ANYTHING, **may("core.admin"))
    token = guest.run("own_api", path="/health")["token"]
    answer = Api(server.url, token).get("/api/v1/packs")
    assert answer.status_code == 401
    headers = {"Authorization": f"Bearer {token}"}
    with Peer(answering(OK)) as peer:
        denied(guest.fetch(peer.url(), headers=headers), "ATTUNE_API_TOKEN")
    assert not peer.heads


def test_an_execution_has_no_account(new_guest: NewGuest) -> None:
    guest = new_guest(**may("core.admin"))
    me = guest.run("own_api", path="/auth/me", signed=True)
    assert me["status"] == 200
    change = {"current_password": PASSWORD, "new_password": "another password"}
    refused = guest.run("own_api", path="/auth/change-password", signed=True, body=change)
    assert "403" in failed(refused)
