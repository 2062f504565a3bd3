//! A guest's request, taken apart and cleaned.

use attune_domain::egress::grant::Wish;
use attune_domain::egress::host::Host;
use attune_domain::egress::{Body, EgressError, INSECURE_TLS, OWN_FIELDS};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, Request, Uri, header};

/// Where a request goes, and what it wants there.
pub(crate) struct Target {
    pub(crate) tls: bool,
    pub(crate) wish: Wish,
}

impl Target {
    /// Whether this is plain HTTP to that address.
    pub(crate) fn is(&self, authority: &Authority) -> bool {
        let host = Host::parse(authority.host());
        !self.tls
            && host.is_ok_and(|host| host == self.wish.host)
            && authority.port_u16().unwrap_or(80) == self.wish.port
    }
}

/// Fields that speak of one connection, or that the broker sets itself (RFC 9110, 7.6.1).
static OF_THE_CONNECTION: [HeaderName; 12] = [
    header::CONNECTION,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

/// Says where a request goes, and leaves of it what may be sent there. What is left has an
/// address in the one form that all the rest of the broker sees.
pub(crate) fn take_apart(request: &mut Request<Option<Body>>) -> Result<Target, EgressError> {
    let tls = match request.uri().scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(invalid("only http and https can be requested")),
    };
    let authority = request.uri().authority().map(Authority::as_str).unwrap_or_default();
    if authority.contains('@') {
        return Err(invalid("a user name has no place in the address of a request"));
    }
    let host = request.uri().host().unwrap_or_default();
    let host =
        Host::parse(host).map_err(|problem| EgressError::InvalidRequest(problem.to_string()))?;
    let port = match request.uri().port() {
        Some(port) => port.as_u16(),
        None if authority.ends_with(':') => return Err(invalid("the port is missing")),
        None if tls => 443,
        None => 80,
    };
    let insecure_tls = tls && request.headers().contains_key(INSECURE_TLS);
    let method = request.method().as_str().to_owned();
    let uri = canonical(tls, &host, port, request.uri().path_and_query())?;
    *request.uri_mut() = uri;
    *request.version_mut() = http::Version::HTTP_11;
    clean_request(request.headers_mut())?;
    Ok(Target { tls, wish: Wish { host, port, method, insecure_tls } })
}

fn canonical(
    tls: bool,
    host: &Host,
    port: u16,
    path: Option<&PathAndQuery>,
) -> Result<Uri, EgressError> {
    let usual = if tls { 443 } else { 80 };
    let authority = if port == usual { host.to_string() } else { format!("{host}:{port}") };
    let path = path.map_or("/", PathAndQuery::as_str);
    if !path.starts_with('/') && path != "*" {
        return Err(invalid("the path of a request begins with /"));
    }
    Uri::builder()
        .scheme(if tls { Scheme::HTTPS } else { Scheme::HTTP })
        .authority(authority)
        .path_and_query(path)
        .build()
        .map_err(|problem| EgressError::InvalidRequest(problem.to_string()))
}

/// A length is kept if there is one, and only one: hyper holds the body to it.
fn clean_request(fields: &mut HeaderMap) -> Result<(), EgressError> {
    let mut lengths = fields.get_all(header::CONTENT_LENGTH).iter();
    if let (Some(length), more) = (lengths.next(), lengths.next()) {
        let digits = length.as_bytes();
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        if more.is_some() || !is_number {
            return Err(invalid("a request has one content-length, and it is a number"));
        }
    }
    let own: Vec<HeaderName> =
        fields.keys().filter(|name| name.as_str().starts_with(OWN_FIELDS)).cloned().collect();
    drop_of_the_connection(fields);
    for name in own {
        fields.remove(name);
    }
    Ok(())
}

/// Takes away what concerns one connection alone, also what `Connection` names as such.
pub(crate) fn drop_of_the_connection(fields: &mut HeaderMap) {
    let named: Vec<HeaderName> = fields
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // A length is never of the connection, whatever somebody says.
        .filter(|name| *name != header::CONTENT_LENGTH)
        .collect();
    for name in OF_THE_CONNECTION.iter().chain(&named) {
        fields.remove(name);
    }
}

fn invalid(text: &str) -> EgressError {
    EgressError::InvalidRequest(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> Request<Option<Body>> {
        Request::builder().uri(uri).body(None).unwrap()
    }

    #[track_caller]
    fn goes_to(uri: &str, expected: &str) {
        let mut request = request(uri);
        take_apart(&mut request).unwrap();
        assert_eq!(request.uri().to_string(), expected);
    }

    #[test]
    fn an_address_has_one_form() {
        goes_to("https://API.Example.test.:443/a?b=c", "https://api.example.test/a?b=c");
        goes_to("http://example.test:8080", "http://example.test:8080/");
        goes_to("http://[::0001]/", "http://[::1]/");
        goes_to("https://example.test:80/", "https://example.test:80/");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for uri in ["http://user@example.test/", "ftp://example.test/", "/path", "http://a..b/"] {
            assert!(take_apart(&mut request(uri)).is_err(), "{uri}");
        }
    }

    #[test]
    fn fields_of_the_connection_are_left_behind() {
        let mut request = Request::builder()
            .uri("https://example.test/")
            .header("connection", "close, x-mine")
            .header("x-mine", "1")
            .header("transfer-encoding", "chunked")
            .header("host", "other.test")
            .header("attune-insecure-tls", "true")
            .header("accept", "*/*")
            .body(None)
            .unwrap();
        let target = take_apart(&mut request).unwrap();
        assert!(target.wish.insecure_tls);
        let names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["accept"]);
    }

    #[test]
    fn a_request_has_one_length() {
        for lengths in [vec!["1", "1"], vec!["1, 1"], vec!["+1"], vec![""]] {
            let mut request = request("http://example.test/");
            for length in lengths {
                request.headers_mut().append("content-length", length.parse().unwrap());
            }
            assert!(take_apart(&mut request).is_err());
        }
    }
}
