"""The C half of `ssl`, which is OpenSSL elsewhere: this interpreter has none.

The library's own `ssl.py` does the rest on top of this module, so that contexts, sockets and
enumerations are the real ones.
"""

import os
import sys
import types
from typing import Any, NoReturn

from . import tls_constants, tls_errors
from .tls_context import _SSLContext
from .tls_object import MemoryBIO, _SSLSocket

_OPENSSL_API_VERSION = tls_constants.OPENSSL_VERSION_INFO
_DEFAULT_CIPHERS = "@SECLEVEL=2"


class SSLSession:
    """The host keeps sessions, and nobody gets to see one."""


class Certificate:
    """The host keeps certificates as well."""


def RAND_bytes(n: int) -> bytes:  # noqa: N802
    return os.urandom(n)


def RAND_status() -> bool:  # noqa: N802
    return True


def RAND_add(string: Any, entropy: float) -> None:  # noqa: N802
    pass


def get_default_verify_paths() -> tuple[str, str, str, str]:
    return "SSL_CERT_FILE", "/etc/ssl/cert.pem", "SSL_CERT_DIR", "/etc/ssl/certs"


# The two object identifiers that `ssl.Purpose` is made of.
_OBJECTS = {
    "1.3.6.1.5.5.7.3.1": (129, "serverAuth", "TLS Web Server Authentication"),
    "1.3.6.1.5.5.7.3.2": (130, "clientAuth", "TLS Web Client Authentication"),
}


def txt2obj(txt: str, name: bool = False) -> tuple[int, str, str, str]:
    if txt not in _OBJECTS:
        raise ValueError(f"unknown object {txt[:100]!r}")
    return *_OBJECTS[txt], txt


def nid2obj(nid: int) -> tuple[int, str, str, str]:
    for identifier, known in _OBJECTS.items():
        if known[0] == nid:
            return *known, identifier
    raise ValueError(f"unknown NID {nid}")


def _test_decode_cert(path: str) -> NoReturn:
    raise NotImplementedError("certificates cannot be read here: TLS is the host's")


def install() -> None:
    """Be `_ssl`, before anything imports `ssl`."""
    module = types.ModuleType("_ssl", __doc__)
    vars(module).update(tls_constants.NUMBERS | tls_constants.FEATURES)
    for public in (
        *(_SSLContext, _SSLSocket, MemoryBIO, SSLSession, Certificate, *tls_errors.CLASSES),
        *(RAND_bytes, RAND_status, RAND_add, txt2obj, nid2obj),
        *(get_default_verify_paths, _test_decode_cert),
    ):
        setattr(module, public.__name__, public)
    for name in ("OPENSSL_VERSION", "OPENSSL_VERSION_NUMBER", "OPENSSL_VERSION_INFO"):
        setattr(module, name, getattr(tls_constants, name))
    module._OPENSSL_API_VERSION = _OPENSSL_API_VERSION
    module._DEFAULT_CIPHERS = _DEFAULT_CIPHERS
    sys.modules["_ssl"] = module
