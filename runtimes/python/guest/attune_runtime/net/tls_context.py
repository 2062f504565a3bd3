"""`_ssl._SSLContext`: settings of TLS, of which the host heeds one.

The host chooses protocol, ciphers and trusted roots, and checks certificates against the name
that was connected to, always: all that a script can ask for is that they are not checked.
Everything else is accepted and remembered, because clients set it as a matter of course.
"""

import os
from typing import Any, NoReturn

from . import tls_constants, tls_errors
from .handshake import Handshake
from .tls_object import MemoryBIO, OverBytes, OverSocket

_CERT_NONE = tls_constants.NUMBERS["CERT_NONE"]
_CERT_REQUIRED = tls_constants.NUMBERS["CERT_REQUIRED"]
_CLIENT = tls_constants.NUMBERS["PROTOCOL_TLS_CLIENT"]
_SERVER = tls_constants.NUMBERS["PROTOCOL_TLS_SERVER"]

_SETTINGS: dict[str, Any] = {
    "_host_flags": tls_constants.NUMBERS["HOSTFLAG_NO_PARTIAL_WILDCARDS"],
    "_msg_callback": None,
    "keylog_filename": None,
    "maximum_version": tls_constants.NUMBERS["PROTO_MAXIMUM_SUPPORTED"],
    "minimum_version": tls_constants.NUMBERS["PROTO_TLSv1_2"],
    "num_tickets": 2,
    "options": tls_constants.NUMBERS["OP_ALL"] | tls_constants.NUMBERS["OP_NO_SSLv3"],
    "post_handshake_auth": False,
    "security_level": 2,
    "sni_callback": None,
    "verify_flags": tls_constants.NUMBERS["VERIFY_X509_TRUSTED_FIRST"],
}


class _SSLContext:
    # Attributes of the class, as `ssl.SSLContext` looks for them there.
    __slots__ = ("_alpn", "_check_hostname", "_verify_mode", "protocol", *_SETTINGS)

    def __new__(cls, protocol: int, *args: Any, **kwargs: Any) -> "_SSLContext":
        self = super().__new__(cls)
        client = protocol == _CLIENT
        settings = _SETTINGS | {
            "protocol": protocol,
            "_alpn": [],
            "_check_hostname": client,
            "_verify_mode": _CERT_REQUIRED if client else _CERT_NONE,
        }
        for name, value in settings.items():
            # `ssl.SSLContext` has properties of the same names, some of them without a setter.
            getattr(_SSLContext, name).__set__(self, value)
        return self

    @property
    def check_hostname(self) -> bool:
        return self._check_hostname

    @check_hostname.setter
    def check_hostname(self, value: bool) -> None:
        self._check_hostname = bool(value)
        if value and self._verify_mode == _CERT_NONE:
            self._verify_mode = _CERT_REQUIRED

    @property
    def verify_mode(self) -> int:
        return self._verify_mode

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        if value == _CERT_NONE and self._check_hostname:
            raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
        self._verify_mode = int(value)

    # Trust is the host's.

    def load_verify_locations(
        self, cafile: Any = None, capath: Any = None, cadata: Any = None
    ) -> None:
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        for path in (cafile, capath):
            if path is not None:
                os.stat(path)

    def set_default_verify_paths(self) -> None:
        pass

    def get_ca_certs(self, binary_form: bool = False) -> list[Any]:
        return []

    def cert_store_stats(self) -> dict[str, int]:
        return {"x509": 0, "crl": 0, "x509_ca": 0}

    def session_stats(self) -> dict[str, int]:
        return {}

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> NoReturn:
        raise tls_errors.failed("client certificates are not available: TLS is the host's")

    def set_psk_client_callback(self, callback: Any) -> NoReturn:
        raise NotImplementedError("pre-shared keys are not available: TLS is the host's")

    set_psk_server_callback = set_psk_client_callback

    # Ciphers and protocols are the host's.

    def set_ciphers(self, ciphers: str) -> None:
        pass

    def get_ciphers(self) -> list[Any]:
        return []

    def set_ecdh_curve(self, name: str) -> None:
        pass

    def load_dh_params(self, path: Any) -> None:
        pass

    def _set_alpn_protocols(self, protocols: bytes) -> None:
        """Takes them as TLS writes them: each behind its length."""
        self._alpn = []
        while protocols:
            length = protocols[0]
            self._alpn.append(bytes(protocols[1 : 1 + length]))
            protocols = protocols[1 + length :]

    def chosen_protocol(self) -> str | None:
        return "http/1.1" if b"http/1.1" in self._alpn else None

    # Connections.

    def _wrap_socket(
        self, sock: Any, server_side: bool, server_hostname: Any = None, **others: Any
    ) -> OverSocket:
        return OverSocket(self, self._handshake(server_side, server_hostname), sock, others)

    def _wrap_bio(
        self,
        incoming: MemoryBIO,
        outgoing: MemoryBIO,
        server_side: bool,
        server_hostname: Any = None,
        **others: Any,
    ) -> OverBytes:
        handshake = self._handshake(server_side, server_hostname)
        return OverBytes(self, handshake, incoming, outgoing, others)

    def _handshake(self, server_side: bool, server_hostname: Any) -> Handshake:
        if server_side or self.protocol == _SERVER:
            raise tls_errors.failed("a server cannot run in Attune's Python sandbox")
        if self._check_hostname and not server_hostname:
            raise ValueError("check_hostname requires server_hostname")
        if isinstance(server_hostname, bytes | bytearray):
            server_hostname = bytes(server_hostname).decode("ascii")
        return Handshake(server_hostname, self._verify_mode == _CERT_NONE)
