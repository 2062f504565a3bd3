"""The exceptions of `ssl`, which CPython defines in the C half of that module."""

SSL_ERROR_SSL = 1
_VERIFY_FAILED = 20  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, what OpenSSL says most often


class SSLError(OSError):
    """An error occurred in the SSL implementation."""

    library: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        return str(self.strerror or self.args)


class SSLZeroReturnError(SSLError):
    """SSL/TLS session closed cleanly."""


class SSLWantReadError(SSLError):
    """Non-blocking SSL socket needs to read more data before the requested operation."""


class SSLWantWriteError(SSLError):
    """Non-blocking SSL socket needs to write more data before the requested operation."""


class SSLSyscallError(SSLError):
    """System error when attempting SSL operation."""


class SSLEOFError(SSLError):
    """SSL/TLS connection terminated abruptly."""


class SSLCertVerificationError(SSLError, ValueError):
    """A certificate could not be verified."""

    verify_code = 0
    verify_message = ""


CLASSES = (
    SSLError,
    SSLZeroReturnError,
    SSLWantReadError,
    SSLWantWriteError,
    SSLSyscallError,
    SSLEOFError,
    SSLCertVerificationError,
)
for _class in CLASSES:
    _class.__module__ = "ssl"


def not_verified(why: str) -> SSLCertVerificationError:
    text = f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {why}"
    error = SSLCertVerificationError(SSL_ERROR_SSL, text)
    error.library, error.reason = "SSL", "CERTIFICATE_VERIFY_FAILED"
    error.verify_code, error.verify_message = _VERIFY_FAILED, why
    return error


def failed(why: str) -> SSLError:
    error = SSLError(SSL_ERROR_SSL, f"[SSL] {why}")
    error.library = "SSL"
    return error


def want_read() -> SSLWantReadError:
    return SSLWantReadError(2, "The operation did not complete (read)")


def want_write() -> SSLWantWriteError:
    return SSLWantWriteError(3, "The operation did not complete (write)")


def ended() -> SSLEOFError:
    return SSLEOFError(8, "EOF occurred in violation of protocol")
