"""A name server whose answers a test sets, name by name and query by query."""

import contextlib
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from dnslib import AAAA, CNAME, QTYPE, RCODE, RR, A, DNSRecord


def new_name() -> str:
    """A name that no other test uses. No answers about it are set, so it does not exist."""
    return f"{uuid.uuid4().hex[:10]}.test"


# What a query is answered with; None is silence.
Answer = Callable[[DNSRecord], bytes | None]
TIME_TO_LIVE = 0


def records(*values: str, ttl: int = TIME_TO_LIVE) -> Answer:
    """Addresses, of which each query is given those of its kind; anything else is a CNAME."""

    def answer(query: DNSRecord) -> bytes:
        reply = query.reply()
        name = query.q.qname
        for value in values:
            kind, data = _record(value)
            if kind in (query.q.qtype, QTYPE.CNAME):
                reply.add_answer(RR(name, kind, rdata=data, ttl=ttl))
            if kind == QTYPE.CNAME:
                name = data.label
        return bytes(reply.pack())

    return answer


def _record(value: str) -> tuple[int, A | AAAA | CNAME]:
    if ":" in value:
        # dnslib itself would not read every form of these.
        return QTYPE.AAAA, AAAA(tuple(ip_address(value).packed))
    if value.replace(".", "").isdigit():
        return QTYPE.A, A(value)
    return QTYPE.CNAME, CNAME(value)


def failing(code: str) -> Answer:
    """`NXDOMAIN`, `SERVFAIL`, `REFUSED`."""

    def answer(query: DNSRecord) -> bytes:
        reply = query.reply()
        reply.header.rcode = getattr(RCODE, code)
        return bytes(reply.pack())

    return answer


def silence(_query: DNSRecord) -> None:
    return None


def garbage(query: DNSRecord) -> bytes:
    """The right number, and nothing else that makes sense."""
    return bytes(query.pack()[:2]) + b"\xff" * 60


def another_s(query: DNSRecord) -> bytes:
    """A good answer to a question that nobody has asked."""
    stray = DNSRecord.question("stray.test")
    stray.header.id = query.header.id
    answer = records("127.0.0.2")(stray)
    assert answer
    return answer


class Names:
    """Answers over UDP and TCP on one port of 127.0.0.1. An unknown name does not exist."""

    def __init__(self) -> None:
        # Names and types, as they were asked for.
        self.asked: list[tuple[str, str]] = []
        self._answers: dict[str, tuple[Answer, ...]] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def set(self, name: str, *answers: Answer) -> str:
        """The first query of each type gets the first answer, and so on; the last one stays."""
        self._answers[name.lower()] = answers
        return name

    def times_asked(self, name: str) -> int:
        return sum(asked == name.lower() for asked, _ in self.asked)

    def close(self) -> None:
        for listening in (self._udp, self._tcp):
            # Or whoever reads from it goes on, from whatever gets its number next.
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def _answer(self, query: bytes) -> bytes | None:
        parsed = DNSRecord.parse(query)
        name = str(parsed.q.qname).rstrip(".").lower()
        key = (name, QTYPE.get(parsed.q.qtype))
        self.asked.append(key)
        answers = self._answers.get(name, (failing("NXDOMAIN"),))
        turn = min(self._counts[key], len(answers) - 1)
        self._counts[key] += 1
        return answers[turn](parsed)

    def _serve_udp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                query, client = self._udp.recvfrom(4096)
                if not query:
                    return
                answer = self._answer(query)
                if answer and len(answer) > 512:
                    answer = _cut(query)
                if answer:
                    self._udp.sendto(answer, client)

    def _serve_tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._tcp.accept()
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rwb") as stream:
            while length := stream.read(2):
                answer = self._answer(stream.read(int.from_bytes(length)))
                if answer:
                    stream.write(len(answer).to_bytes(2) + answer)
                    stream.flush()


def _cut(query: bytes) -> bytes:
    """What is said over UDP of an answer that needs TCP."""
    reply = DNSRecord.parse(query).reply()
    reply.header.tc = 1
    return bytes(reply.pack())


@contextmanager
def name_server() -> Iterator[Names]:
    names = Names()
    try:
        yield names
    finally:
        names.close()
