//! From what went wrong with a request to what the user reads.

use attune_domain::Json;
use reqwest::StatusCode;

use crate::failure::{Exit, Failure};

/// No answer, or none that can be read.
pub(super) fn of_transport(server: &str, error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        return Failure::new(Exit::Unreachable, format_args!("no server answers at {server}"))
            .remedy("start one with: attune serve; or name another with --url");
    }
    if error.is_timeout() {
        return Failure::new(Exit::Unreachable, format_args!("{server} did not answer in time"));
    }
    let cause = innermost(error);
    Failure::new(Exit::Unreachable, format_args!("the connection to {server} broke: {cause}"))
}

/// An answer that is a refusal.
pub(super) fn of_answer(status: StatusCode, body: &Json) -> Failure {
    let said = body["error"].as_str().or_else(|| body["error"]["message"].as_str());
    let text = match said {
        Some(text) => text.to_owned(),
        None => format!("the server answered {status}"),
    };
    match status {
        StatusCode::UNAUTHORIZED => {
            Failure::new(Exit::NotAllowed, text).remedy("sign in with: attune login")
        }
        StatusCode::FORBIDDEN => Failure::new(Exit::NotAllowed, text)
            .remedy("an administrator can assign the permission set that grants it"),
        StatusCode::NOT_FOUND => Failure::new(Exit::NotFound, text),
        StatusCode::SERVICE_UNAVAILABLE => Failure::new(Exit::Unreachable, text),
        _ => Failure::new(Exit::Failed, text),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_of_an_error_are_read() {
        let nested = json!({"error": {"code": 401, "message": "Invalid token"}});
        let failure = of_answer(StatusCode::UNAUTHORIZED, &nested);
        assert_eq!(failure.exit, Exit::NotAllowed);
        assert!(failure.to_string().starts_with("Invalid token"));
        let flat = json!({"error": "no action 'x'", "code": "NOT_FOUND"});
        let failure = of_answer(StatusCode::NOT_FOUND, &flat);
        assert_eq!((failure.exit, failure.to_string().as_str()), (Exit::NotFound, "no action 'x'"));
    }
}
