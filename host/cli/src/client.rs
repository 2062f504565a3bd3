//! The client side of the API: requests with the profile's tokens, refreshed when
//! they have expired, and answers turned into JSON or a [`Failure`].

mod problem;
mod profile;
pub(crate) mod sse;

use std::time::Duration;

use attune_domain::Json;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::json;

use crate::failure::{Exit, Failure};
use profile::{Profile, Tokens};

/// Beyond this the server is taken for dead; a wait adds its own time.
const PATIENCE: Duration = Duration::from_mins(1);

/// One server, and who we are there.
pub(crate) struct Client {
    http: reqwest::Client,
    server: Url,
    profile: Profile,
}

/// What a request carries.
enum Body<'a> {
    None,
    Json(&'a Json),
    Archive { bytes: bytes::Bytes, force: bool },
}

impl Client {
    /// The client of the server that was named, or else of the last login.
    pub(crate) fn new(url: Option<&str>) -> Result<Client, Failure> {
        let profile = Profile::read()?;
        let server = parse_server(url.unwrap_or_else(|| profile.current()))?;
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .user_agent(concat!("attune-cli/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::new(Exit::Failed, error))?;
        Ok(Client { http, server, profile })
    }

    /// The server's address.
    pub(crate) fn server(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    /// Signs in and keeps the tokens in the profile.
    pub(crate) async fn login(&mut self, login: &str, password: &str) -> Result<Json, Failure> {
        let credentials = json!({"login": login, "password": password});
        let request = self.request(Method::POST, "/auth/login", &[]).json(&credentials);
        let answer = self.answer(request.timeout(PATIENCE)).await?;
        let server = self.server().to_owned();
        self.profile.sign_in(&server, tokens_of(&answer)?)?;
        Ok(answer)
    }

    /// GET of a path with query parameters.
    pub(crate) async fn get(
        &mut self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Json, Failure> {
        self.call(Method::GET, path, query, &Body::None, Duration::ZERO).await
    }

    /// POST of a JSON body.
    pub(crate) async fn post(&mut self, path: &str, body: &Json) -> Result<Json, Failure> {
        self.call(Method::POST, path, &[], &Body::Json(body), Duration::ZERO).await
    }

    /// POST that the server may answer late, with the state after `wait`.
    pub(crate) async fn post_and_wait(
        &mut self,
        path: &str,
        body: &Json,
        wait: Duration,
    ) -> Result<Json, Failure> {
        self.call(Method::POST, path, &[], &Body::Json(body), wait).await
    }

    /// GET that the server may answer late, with the state after `wait`.
    pub(crate) async fn get_and_wait(
        &mut self,
        path: &str,
        wait: Duration,
    ) -> Result<Json, Failure> {
        self.call(Method::GET, path, &[], &Body::None, wait).await
    }

    /// PUT of a JSON body.
    pub(crate) async fn put(&mut self, path: &str, body: &Json) -> Result<Json, Failure> {
        self.call(Method::PUT, path, &[], &Body::Json(body), Duration::ZERO).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Result<Json, Failure> {
        self.call(Method::DELETE, path, &[], &Body::None, Duration::ZERO).await
    }

    /// Uploads a pack's archive.
    pub(crate) async fn upload(
        &mut self,
        bytes: bytes::Bytes,
        force: bool,
    ) -> Result<Json, Failure> {
        let body = Body::Archive { bytes, force };
        self.call(Method::POST, "/api/v1/packs/upload", &[], &body, Duration::ZERO).await
    }

    /// Opens a stream of server-sent events.
    pub(crate) async fn stream(
        &mut self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<sse::Events, Failure> {
        self.check_signed_in()?;
        let build = |client: &Client| {
            let request = client.request(Method::GET, path, query);
            request.header(ACCEPT, HeaderValue::from_static("text/event-stream"))
        };
        let mut response = self.send(build(self)).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.refresh().await? {
            response = self.send(build(self)).await?;
        }
        Ok(sse::events(self.accepted(response).await?))
    }

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: &Body<'_>,
        wait: Duration,
    ) -> Result<Json, Failure> {
        self.check_signed_in()?;
        let build = |client: &Client| {
            let mut request = client.request(method.clone(), path, query);
            if !wait.is_zero() {
                request = request.header("Prefer", format!("wait={}", wait.as_secs()));
            }
            with_body(request, body).timeout(PATIENCE + wait)
        };
        let response = self.send(build(self)).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.refresh().await? {
            return self.answer(build(self)).await;
        }
        self.json_of(response).await
    }

    fn check_signed_in(&self) -> Result<(), Failure> {
        if self.profile.tokens(self.server()).is_some() {
            return Ok(());
        }
        let problem = format_args!("not signed in to {}", self.server());
        Err(Failure::new(Exit::NotAllowed, problem).remedy("sign in with: attune login"))
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, String)]) -> RequestBuilder {
        let mut url = self.server.clone();
        url.set_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        match self.profile.tokens(self.server()) {
            Some(tokens) => request.bearer_auth(&tokens.access_token),
            None => request,
        }
    }

    /// Exchanges the refresh token for a new pair; false when there is none that holds.
    async fn refresh(&mut self) -> Result<bool, Failure> {
        let Some(tokens) = self.profile.tokens(self.server()) else { return Ok(false) };
        let body = json!({"refresh_token": tokens.refresh_token});
        let request = self.request(Method::POST, "/auth/refresh", &[]).json(&body);
        let response = self.send(request.timeout(PATIENCE)).await?;
        if !response.status().is_success() {
            return self.profile.reread_if_newer(self.server.as_str().trim_end_matches('/'));
        }
        let answer = self.json_of(response).await?;
        let server = self.server().to_owned();
        self.profile.keep(&server, tokens_of(&answer)?)?;
        Ok(true)
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Json, Failure> {
        let response = self.send(request).await?;
        self.json_of(response).await
    }

    async fn json_of(&self, response: Response) -> Result<Json, Failure> {
        let response = self.accepted(response).await?;
        response.json().await.map_err(|error| problem::of_transport(self.server(), &error))
    }

    async fn accepted(&self, response: Response) -> Result<Response, Failure> {
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.json().await.unwrap_or(Json::Null);
        Err(problem::of_answer(status, &body))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request.send().await.map_err(|error| problem::of_transport(self.server(), &error))
    }
}

fn tokens_of(answer: &Json) -> Result<Tokens, Failure> {
    Tokens::deserialize_from(&answer["data"])
        .ok_or_else(|| Failure::new(Exit::Failed, "the server's answer holds no tokens"))
}

fn with_body(request: RequestBuilder, body: &Body<'_>) -> RequestBuilder {
    match body {
        Body::None => request,
        Body::Json(json) => request.json(json),
        Body::Archive { bytes, force } => {
            let length = bytes.len() as u64;
            let part = reqwest::multipart::Part::stream_with_length(bytes.clone(), length)
                .file_name("pack.tar.gz");
            let form = reqwest::multipart::Form::new().part("pack", part);
            request.multipart(form.text("force", force.to_string()))
        }
    }
}

fn parse_server(url: &str) -> Result<Url, Failure> {
    let wrong = |problem: &str| {
        let failure = Failure::usage(format_args!("--url (ATTUNE_URL) '{url}': {problem}"));
        failure.remedy("for example http://127.0.0.1:8080")
    };
    let parsed = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
    match parsed.scheme() {
        "http" if parsed.has_host() => Ok(parsed),
        "https" => Err(wrong("this version has no TLS; use a tunnel or a proxy on this machine")),
        _ => Err(wrong("not the address of a server")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_http_address() {
        assert!(parse_server("http://127.0.0.1:8080").is_ok());
        for wrong in ["https://attune.example", "127.0.0.1:8080", "localhost", "file:///etc"] {
            assert_eq!(parse_server(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }
}
