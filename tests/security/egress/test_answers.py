"""Peers that answer wrongly: the action gets what is sure or an error, and nobody else notices."""

import pytest

from support.guests import Guest, failed
from support.peer import OK, Peer, Script, Visit, answering, answering_once, flooding

STATUS = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        STATUS,
        STATUS + b"content-length: 10\r\n",
        b"garbage\r\n\r\n",
        b"\x00\xff" * 5_000,
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"<html>HTTP/0.9</html>",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 -20 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nevil",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        STATUS + b"content-length: 2\r\ncontent-length: 3\r\n\r\nokk",
        STATUS + b"content-length: 2, 3\r\n\r\nokk",
        STATUS + b"content-length: -2\r\n\r\nok",
        STATUS + b"content-length: +2\r\n\r\nok",
        STATUS + b"content-length: 2x\r\n\r\nok",
        STATUS + b"content-length: 99999999999999999999999999\r\n\r\nok",
        STATUS + b"content-length: 10\r\n\r\nok",
        STATUS + CHUNKED + b"\r\nzz\r\nok\r\n0\r\n\r\n",
        STATUS + CHUNKED + b"\r\n-2\r\nok\r\n0\r\n\r\n",
        STATUS + CHUNKED + b"\r\nfffffffffffffffff\r\nok\r\n0\r\n\r\n",
        STATUS + CHUNKED + b"\r\n2\r\nokevil\r\n0\r\n\r\n",
        STATUS + CHUNKED + b"\r\n2\r\nok\r\n",
        STATUS + b"x: y\r\nno colon\r\ncontent-length: 0\r\n\r\n",
        STATUS + b"bad name: x\r\ncontent-length: 0\r\n\r\n",
        STATUS + b"x: a\0b\r\ncontent-length: 0\r\n\r\n",
        STATUS + b"x: " + b"y" * 4_000_000 + b"\r\n\r\n",
        STATUS + b"x" * 4_000_000 + b": y\r\n\r\n",
        b"HTTP/1.1 200 " + b"O" * 4_000_000 + b"\r\n\r\n",
    ],
    ids=lambda answer: repr(answer[:40] + answer[-12:]),
)
def test_no_answer_at_all(guest: Guest, answer: bytes) -> None:
    with Peer(answering_once(answer)) as peer:
        assert len(failed(guest.fetch(peer.url()))) > 10, "says what is wrong"
        peer.wait_until_left()
    assert len(peer.heads) <= 2, "tried again at most once"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (STATUS + b"content-length: 2\r\ncontent-length: 2\r\n\r\nok", "ok"),
        (
            STATUS + b"content-length: 9\r\n" + CHUNKED + b"\r\n2\r\nok\r\n0\r\n\r\n",
            "ok",
        ),
        (
            STATUS + CHUNKED + b"content-length: 0\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "ok",
        ),
        (STATUS + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok"),
        (STATUS + b"transfer-encoding: chunked, identity\r\n\r\n2\r\nok\r\n0\r\n\r\n", None),
        (STATUS + b"content-length : 2\r\n\r\nok", "ok"),
        (STATUS + b"x: y\r\n folded: z\r\ncontent-length: 2\r\n\r\nok", "ok"),
        (STATUS + b"connection: content-length\r\ncontent-length: 2\r\n\r\nok", "ok"),
        (STATUS.replace(b"\r\n", b"\n") + b"content-length: 2\n\nok", "ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nok", "ok"),
        (b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok", ""),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n", ""),
        (b"HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n" + OK, "ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK, "ok"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_an_answer_of_which_parsers_think_differently(
    guest: Guest, answer: bytes, body: str | None
) -> None:
    """Either it is refused, or it is read in the one way that is safe."""
    with Peer(answering_once(answer)) as peer:
        seen = guest.fetch(peer.url())
    if "error" not in seen and body is not None:
        assert seen.get("body", "") == body, seen


@pytest.mark.parametrize("size", [60_000, 130_000, 200_000, 390_000])
def test_a_large_head(guest: Guest, size: int) -> None:
    """Either the action gets it, or an error that it can catch."""
    fields = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 1_000) for number in range(size // 1_000))
    with Peer(answering_once(STATUS + fields + b"content-length: 2\r\n\r\nok")) as peer:
        seen = guest.fetch(peer.url())
    assert seen.get("body") == "ok" or "head" in failed(seen)


EVIL = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"


def early(visit: Visit) -> None:
    """Answers before it is asked, and then to what it is asked."""
    visit.send(EVIL)
    answering(OK)(visit)


@pytest.mark.parametrize(
    "script",
    [
        answering(OK + EVIL),
        answering(OK + b"\r\n\r\n" + EVIL),
        answering(OK + b"x"),
        answering(b"HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\n" + EVIL),
        answering(b"HTTP/1.1 304 Not Modified\r\n\r\n" + EVIL),
        answering(STATUS + b"content-length: 9\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + EVIL),
        answering(STATUS + b"content-length: 0\r\ncontent-length: 0\r\n\r\n" + EVIL),
    ],
    ids="answer blank_lines byte no_content not_modified both_lengths same_lengths".split(),
)
def test_what_follows_an_answer_is_no_answer(guest: Guest, script: Script) -> None:
    with Peer(script) as peer:
        targets = ["/1", "/2", "/3"]
        answers = guest.run("exchanges", url=peer.url(), targets=targets)
        answers.append(guest.fetch(peer.url("/another_run")))
    assert "evil" not in str(answers), answers


def test_a_body_after_the_answer_to_head(guest: Guest) -> None:
    with Peer(answering(STATUS + b"content-length: 4\r\n\r\nevil")) as peer:
        assert guest.fetch(peer.url(), method="HEAD").get("body", "") == ""
        answers = guest.run("exchanges", url=peer.url(), targets=["/1", "/2"])
    assert [answer.get("body") for answer in answers] == ["evil", "evil"], "one for each"


def test_an_answer_before_the_request(guest: Guest) -> None:
    with Peer(early) as peer:
        answers = guest.run("exchanges", url=peer.url(), targets=["/1", "/2", "/3"])
        other = guest.fetch(peer.url("/another_run"))
    for answer in [*answers[1:], other]:
        # The first of each connection may be taken for an answer; it never moves to the next.
        assert answer.get("body") in ("ok", "evil") or "error" in answer
    bodies = [answer.get("body") for answer in answers]
    assert bodies.count("evil") <= len(peer.visits)


def test_a_request_that_changes_something_is_sent_once(guest: Guest) -> None:
    with Peer(answering_once(b"")) as peer:
        failed(guest.fetch(peer.url(), method="POST", body="pay 100"))
    assert len(peer.heads) == 1


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (STATUS, b"x-field: y\r\n" * 500),
        (STATUS + b"x: ", b"y" * 10_000),
        (STATUS, b"y" * 10_000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100),
        (b"", b"\r\n" * 1_000),
        (STATUS + CHUNKED + b"\r\n1;", b"x" * 10_000),
        (STATUS + CHUNKED + b"\r\n", b"0" * 10_000),
        (STATUS + CHUNKED + b"\r\n2\r\nok\r\n0\r\n", b"x: y\r\n" * 1_000),
    ],
    ids="fields value name continue hints lines extension zeros trailers".split(),
)
def test_heads_without_an_end(hasty: Guest, first: bytes, again: bytes) -> None:
    with Peer(flooding(first, again)) as peer:
        failed(hasty.fetch(peer.url()))
        peer.wait_until_left()


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (STATUS + b"\r\n", b"x" * 10_000),
        (STATUS + b"content-length: 100000000000\r\n\r\n", b"x" * 10_000),
        (STATUS + CHUNKED + b"\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"),
        (STATUS + CHUNKED + b"\r\n", b"40\r\n" + b"x" * 64 + b"\r\n"),
    ],
    ids="until_close length chunks small_chunks".split(),
)
def test_bodies_without_an_end(hasty: Guest, first: bytes, again: bytes) -> None:
    with Peer(flooding(first, again)) as peer:
        answer = hasty.fetch(peer.url())
        failed(answer)
        assert answer.get("size", 0) <= 1_000_000
        peer.wait_until_left()


def test_a_body_that_is_just_small_enough(hasty: Guest) -> None:
    with Peer(answering_once(STATUS + b"\r\n" + b"x" * 1_000_000)) as peer:
        assert hasty.fetch(peer.url())["size"] == 1_000_000


def test_a_request_body_that_is_too_large(hasty: Guest) -> None:
    with Peer(answering(OK)) as peer:
        assert hasty.fetch(peer.url(), method="POST", body="x" * 1_000_000)["status"] == 200
        failed(hasty.fetch(peer.url(), method="POST", body="x" * 1_000_001))
        peer.wait_until_left()
