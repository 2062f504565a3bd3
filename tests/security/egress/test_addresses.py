"""Addresses that are not public are not reached, however they are written."""

from collections.abc import Iterator

import pytest

from support.authority import Authority
from support.egress import reaching, signed_in
from support.guests import ANYTHING, Guest, denied, failed
from support.names import Names, new_name, records
from support.peer import ALLOWED, OK, Peer, answering

IPV4 = """
    127.0.0.1 127.0.0.3 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.1
    192.168.1.1 100.64.0.1 169.254.169.254 192.0.0.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1
    224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
""".split()
IPV6 = """
    ::1 :: fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 ::ffff:127.0.0.1 ::ffff:127.0.0.3
    ::127.0.0.1 ::127.0.0.2 64:ff9b::7f00:1 64:ff9b::7f00:2 64:ff9b:1::7f00:2 2002:7f00:1::
    2002:7f00:2:: 2001::7f00:2 2001:db8::1 100::1 ::ffff:0:127.0.0.1 fe80::5efe:127.0.0.2
""".split()
# What some parsers take for 127.0.0.1 or 127.0.0.2, and what others take for names.
ODD = """
    2130706433 2130706434 0x7f000001 0x7f.0.0.1 0177.0.0.1 127.1 127.0.1 127.0.0.01 127.0.0.1.
    127.0.0.2%00 127。0。0。1 ①②⑦.⓪.⓪.① [::1%25lo] [fe80::1%25eth0] [::ffff:7f00:1]
    [0:0:0:0:0:ffff:127.0.0.1] [::1 localhost LOCALHOST. sub.localhost localhost.localdomain
    ip6-localhost
""".split()


@pytest.fixture
def everywhere() -> Iterator[Peer]:
    """Listens on one port of all addresses that this machine has; nobody must come."""
    with Peer(answering(OK), "0.0.0.0") as four, Peer(answering(OK), "::", port=four.port) as six:
        yield four
        assert not four.visits
        assert not six.visits


@pytest.mark.parametrize("address", IPV4 + IPV6)
def test_in_the_url(anybody: Guest, everywhere: Peer, address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    denied(anybody.fetch(everywhere.url(host=host)), "--egress-private")


@pytest.mark.parametrize("address", IPV4 + IPV6)
def test_as_the_answer_for_a_name(
    anybody: Guest, everywhere: Peer, names: Names, address: str
) -> None:
    name = names.set(new_name(), records(address))
    denied(anybody.fetch(everywhere.url(host=name)), name)


@pytest.mark.parametrize("host", ODD)
def test_in_an_odd_form(anybody: Guest, everywhere: Peer, host: str) -> None:
    failed(anybody.fetch(everywhere.url(host=host)))


def test_metadata_services_are_refused_at_their_own_port(anybody: Guest) -> None:
    for url in ("http://169.254.169.254/latest/", "http://[fd00:ec2::254]/latest/"):
        denied(anybody.fetch(url))


def test_a_network_that_is_opened_opens_itself_alone(names: Names, authority: Authority) -> None:
    with Peer(answering(OK), "0.0.0.0") as peer, Peer(answering(OK), "::", port=peer.port) as six:
        with reaching(names, authority, egress_private="127.0.0.0/8") as server:
            guest = Guest(signed_in(server), ANYTHING)
            for address in ("127.0.0.1", ALLOWED):
                assert guest.fetch(peer.url(host=address))["status"] == 200
            for address in ("0.0.0.0", "169.254.169.254", "10.0.0.1", "[::1]", "[::127.0.0.1]"):
                denied(guest.fetch(peer.url(host=address)))
        assert not six.visits


def test_the_egress_settings_have_to_make_sense(names: Names, authority: Authority) -> None:
    for setting in ("300.0.0.0/8", "127.0.0.1/33", "localhost"):
        with (
            pytest.raises(AssertionError, match="egress"),
            reaching(names, authority, egress_private=setting),
        ):
            pass
