//! Uploading a pack.

use attune_domain::access::{Resource, Verb, decide_early};
use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Refusals, one};
use crate::access::{check_delegation_of_upload, decide_pack};
use crate::auth::Bearer;
use crate::envelope::Single;
use crate::input::body::{is_too_large, limited};
use crate::models::pack::{PackInstallResponse, UploadForm};
use crate::problem::Problem;
use crate::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(upload_pack))
}

/// Install a pack from an archive
#[utoipa::path(post, path = "/packs/upload", tag = "packs",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, body = Single<PackInstallResponse>), Refusals))]
async fn upload_pack(
    State(state): State<ApiState>,
    caller: Bearer,
    request: Request,
) -> Result<(StatusCode, Json<Single<PackInstallResponse>>), Problem> {
    decide_early(&caller, Resource::Packs, Verb::Install)?;
    let _permit = state.uploads.acquire().await;
    // A client that is not told would send its next request where nobody reads any more.
    let form = read(request, state.settings.max_upload_bytes).await.map_err(Problem::closing)?;
    let incoming = state.catalog.read(form.archive).await?;
    decide_pack(&caller, Verb::Install, incoming.reference())?;
    check_delegation_of_upload(&state, &caller, &incoming).await?;
    let pack = state.catalog.upload(&caller, incoming, form.force).await?;
    Ok((StatusCode::CREATED, one(pack.into())))
}

/// The parts of the form that matter.
#[derive(Debug)]
struct Upload {
    archive: Bytes,
    force: bool,
}

async fn read(request: Request, limit: usize) -> Result<Upload, Problem> {
    let request = request.map(|body| limited(body, limit));
    let multipart = Multipart::from_request(request, &()).await;
    let mut form = multipart.map_err(|_| Problem::unsupported_media_type("multipart/form-data"))?;
    let (mut archive, mut force) = (None, false);
    while let Some(field) = form.next_field().await.map_err(|error| refused(&error, limit))? {
        match field.name() {
            Some("pack") if archive.is_some() => {
                return Err(Problem::bad_request("the part 'pack' is there twice"));
            }
            Some("pack") => archive = Some(bytes(field, limit).await?),
            Some("force") => force = is_true(&bytes(field, limit).await?),
            _ => {}
        }
    }
    let archive = archive.ok_or_else(|| Problem::invalid("pack", "this file part is required"))?;
    Ok(Upload { archive, force })
}

async fn bytes(field: Field<'_>, limit: usize) -> Result<Bytes, Problem> {
    field.bytes().await.map_err(|error| refused(&error, limit))
}

fn is_true(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    text.eq_ignore_ascii_case(b"true") || text == b"1"
}

fn refused(error: &MultipartError, limit: usize) -> Problem {
    if is_too_large(error) {
        return Problem::too_large(limit);
    }
    Problem::bad_request(format!("the form cannot be read: {}", error.body_text()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header::CONTENT_TYPE;

    use super::*;

    fn part(name: &str, content: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
    }

    async fn read_form(body: String, limit: usize) -> Result<Upload, Problem> {
        let request = Request::builder()
            .header(CONTENT_TYPE, "multipart/form-data; boundary=b")
            .body(Body::from(body + "--b--\r\n"))
            .unwrap();
        read(request, limit).await
    }

    #[tokio::test]
    async fn the_parts_are_found_in_any_order() {
        let body = part("skip_tests", "true") + &part("force", "true") + &part("pack", "gz");
        let upload = read_form(body, 1000).await.unwrap();
        assert_eq!((upload.archive.as_ref(), upload.force), (b"gz".as_slice(), true));
        assert!(!read_form(part("pack", "gz"), 1000).await.unwrap().force);
    }

    async fn check_refused(body: String, limit: usize, code: &str) {
        let problem = format!("{:?}", read_form(body, limit).await.unwrap_err());
        assert!(problem.contains(code), "{problem}");
    }

    #[tokio::test]
    async fn a_form_that_is_no_upload_is_refused() {
        check_refused(part("force", "true"), 1000, "VALIDATION_ERROR").await;
        check_refused(part("pack", "a") + &part("pack", "b"), 1000, "BAD_REQUEST").await;
        check_refused(part("pack", &"a".repeat(2000)), 1000, "PAYLOAD_TOO_LARGE").await;
        check_refused("--b\r\nContent-Dis".to_owned(), 1000, "BAD_REQUEST").await;
    }
}
