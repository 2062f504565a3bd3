//! What went wrong, in the words that a guest is told.

use std::error::Error;
use std::io;

use attune_domain::egress::EgressError;

/// Too many open files, of the process or of the machine.
const NO_DESCRIPTOR: [i32; 2] = [23, 24];

/// Of making a connection.
pub(crate) fn of_connect(error: &io::Error) -> EgressError {
    if error.raw_os_error().is_some_and(|code| NO_DESCRIPTOR.contains(&code)) {
        tracing::warn!(%error, "no connection can be opened for an action");
        return EgressError::Unavailable;
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => EgressError::Refused,
        io::ErrorKind::TimedOut => EgressError::ConnectTimeout,
        _ => EgressError::Unreachable,
    }
}

/// Of TLS's handshake.
pub(crate) fn of_handshake(error: &io::Error) -> EgressError {
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match reason {
        Some(rustls::Error::InvalidCertificate(_)) => EgressError::Certificate,
        _ => EgressError::Tls,
    }
}

/// Of an exchange: the first cause that says something.
pub(crate) fn of_exchange(error: &(dyn Error + 'static)) -> EgressError {
    let mut cause = Some(error);
    let mut found = EgressError::Incomplete;
    while let Some(error) = cause {
        if let Some(own) = error.downcast_ref::<EgressError>() {
            return own.clone();
        }
        if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
            found = of_hyper(hyper);
        }
        cause = error.source();
    }
    found
}

/// Whether it is we who say that the peer breaks the rules of HTTP/2.
fn is_violation(error: &hyper::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    source.is_some_and(h2::Error::is_library)
}

fn of_hyper(error: &hyper::Error) -> EgressError {
    if error.is_parse_too_large() {
        EgressError::HeadTooLarge
    } else if error.is_parse() || error.is_parse_status() {
        EgressError::Protocol
    } else if error.is_timeout() {
        EgressError::ResponseTimeout
    } else if is_violation(error) {
        EgressError::Protocol
    } else {
        EgressError::Incomplete
    }
}
