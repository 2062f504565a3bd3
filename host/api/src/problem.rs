//! Errors as clients see them. The one place where an error becomes a status.
//!
//! A fault of the server is logged here, once, with its cause, and answered
//! without it.

use std::error::Error;
use std::io::ErrorKind;

use attune_catalog::InstallError;
use attune_domain::access::Denied;
use attune_domain::store::StoreError;
use attune_domain::vault::VaultError;
use attune_orchestrator::{CancelError, SubmitError};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use tracing::{error, warn};
use utoipa::ToSchema;

/// The body of every refusal (contract, "Errors").
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// For people.
    error: String,
    /// For programs: `BAD_REQUEST`, `NOT_FOUND`, `CONFLICT`, …
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

/// A refusal on its way to the client.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    body: ErrorBody,
    /// Answered in the nested form that a missing or invalid bearer token gets.
    bearer: bool,
    /// The rest of the request is not read, so that the connection serves no other.
    closes: bool,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, error: impl Into<String>) -> Problem {
        let body = ErrorBody { error: error.into(), code, details: None };
        Problem { status, body, bearer: false, closes: false }
    }

    /// The same, of a request that was not read to its end.
    pub(crate) fn closing(self) -> Problem {
        Problem { closes: true, ..self }
    }

    pub(crate) fn bad_request(error: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", error)
    }

    /// Bad credentials in a body.
    pub(crate) fn unauthorized(error: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", error)
    }

    /// A missing or invalid bearer token.
    pub(crate) fn bearer(error: impl Into<String>) -> Problem {
        Problem { bearer: true, ..Problem::unauthorized(error) }
    }

    pub(crate) fn forbidden(error: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", error)
    }

    pub(crate) fn not_found(error: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", error)
    }

    pub(crate) fn method_not_allowed() -> Problem {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Problem::new(status, "METHOD_NOT_ALLOWED", "this path does not take that method")
    }

    pub(crate) fn conflict(error: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, "CONFLICT", error)
    }

    pub(crate) fn too_large(limit: usize) -> Problem {
        let error = format!("the body is larger than {limit} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", error)
    }

    pub(crate) fn unsupported_media_type(expected: &str) -> Problem {
        let error = format!("the Content-Type must be {expected}");
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", error)
    }

    /// A field that is missing, of the wrong type or out of its bounds.
    pub(crate) fn invalid(field: &str, problem: impl AsRef<str>) -> Problem {
        let error = format!("{field}: {}", problem.as_ref());
        let invalid = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR", error);
        invalid.with_details(json!({"field": field, "problem": problem.as_ref()}))
    }

    pub(crate) fn unprocessable(error: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "UNPROCESSABLE_ENTITY", error)
    }

    pub(crate) fn not_implemented(error: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED", error)
    }

    pub(crate) fn internal() -> Problem {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, "INTERNAL_SERVER_ERROR", "the server has failed; see its log")
    }

    /// A fault of the server: the cause goes to the log and nowhere else.
    pub(crate) fn fault(cause: &dyn Error, doing: &'static str) -> Problem {
        error!(cause = chain(cause), doing, "a request failed");
        Problem::internal()
    }

    fn full(error: &str) -> Problem {
        Problem::new(StatusCode::INSUFFICIENT_STORAGE, "INSUFFICIENT_STORAGE", error)
    }

    fn unavailable(error: &str) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", error)
    }

    pub(crate) fn with_details(mut self, details: Value) -> Problem {
        self.body.details = Some(details);
        self
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.closes {
            let refusal = Problem { closes: false, ..self };
            return ([(header::CONNECTION, "close")], refusal).into_response();
        }
        if !self.bearer {
            return (self.status, Json(self.body)).into_response();
        }
        let nested = json!({"error": {"code": self.status.as_u16(), "message": self.body.error}});
        let mut response = (self.status, Json(nested)).into_response();
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        response
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Problem {
        Problem::forbidden(denied.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Duplicate(what) => Problem::conflict(what),
            StoreError::Conflict => Problem::conflict("it was changed at the same time; try again"),
            StoreError::NulInText => Problem::unprocessable(error.to_string()),
            StoreError::Full => {
                warn!("new data is refused: the disk is full");
                Problem::full("the server's disk is full; try again when there is room")
            }
            StoreError::Unavailable(_) => {
                error!(cause = chain(&error), "the database failed");
                Problem::unavailable("the database cannot be used now; try again")
            }
            StoreError::Corrupt { .. } => {
                error!(cause = chain(&error), "the database failed");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Problem::new(status, "DATABASE_ERROR", "the database has failed; see the log")
            }
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Problem {
        match error {
            VaultError::NoMaster(_) => {
                error!(cause = chain(&error), "stored values cannot be opened");
                Problem::unavailable("stored values cannot be opened now; see the server's log")
            }
            VaultError::Damaged => Problem::fault(&error, "opening a stored value"),
            VaultError::Stale => StoreError::Conflict.into(),
            VaultError::Store(error) => error.into(),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Problem {
        match error {
            SubmitError::KeyReused => Problem::unprocessable(
                "this Idempotency-Key was used with another request in the last 24 hours",
            ),
            SubmitError::Draining => {
                Problem::unavailable("the server is stopping and takes no new work")
            }
            SubmitError::Store(error) => error.into(),
        }
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Problem {
        match error {
            CancelError::NotFound => Problem::not_found("no such execution"),
            CancelError::AlreadyEnded(execution) => {
                let status = execution.state.status.as_str();
                Problem::conflict(format!("the execution has already ended: it is {status}"))
                    .with_details(json!({"status": status}))
            }
            CancelError::Store(error) => error.into(),
        }
    }
}

impl From<InstallError> for Problem {
    fn from(error: InstallError) -> Problem {
        match error {
            InstallError::Archive(error) => Problem::bad_request(error.to_string()),
            InstallError::Manifest(error) => {
                let details = json!({"file": error.file, "key": error.key});
                Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "VALIDATION_ERROR",
                    error.to_string(),
                )
                .with_details(details)
            }
            InstallError::Duplicate(what) => Problem::conflict(what),
            InstallError::Store(error) => error.into(),
            InstallError::Io(error) if error.kind() == ErrorKind::StorageFull => {
                warn!("a pack is refused: the disk is full");
                Problem::full("the server's disk is full; try again when there is room")
            }
            InstallError::Io(error) => Problem::fault(&error, "writing a pack's files"),
        }
    }
}
