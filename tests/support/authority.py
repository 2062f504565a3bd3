"""Certificates: good ones of the tests' own authority, and bad ones."""

import datetime
import ssl
from pathlib import Path

import trustme

PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


class Authority:
    """Whom the servers of these tests trust, and somebody whom they do not."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "authority.pem"
        self._ours = trustme.CA()
        self._stranger = trustme.CA()
        self._ours.cert_pem.write_to_path(str(self.file))

    def good(self, *hosts: str, protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
        """Valid for these hosts."""
        return _context(self._ours.issue_cert(*hosts), protocols)

    def signed(self, host: str) -> Path:
        """A file with a key and its certificate, valid for this host."""
        path = self.file.with_name(f"{host}.pem")
        self._ours.issue_cert(host).private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def expired(self, host: str) -> ssl.SSLContext:
        day = datetime.timedelta(days=1)
        return _context(self._ours.issue_cert(host, not_before=PAST, not_after=PAST + day))

    def of_a_stranger(self, host: str) -> ssl.SSLContext:
        return _context(self._stranger.issue_cert(host))


def _context(certificate: trustme.LeafCert, protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context
