//! TLS towards peers: with certificates that are checked, and, for whom that is granted, not.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::StartError;

/// What is offered in the handshake, the better one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Both ways to do TLS.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) checked: Arc<ClientConfig>,
    pub(crate) unchecked: Arc<ClientConfig>,
}

impl Tls {
    /// Trusts the system's certificates, and those of the file.
    pub(crate) fn new(own: Option<&Path>) -> Result<Tls, StartError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if let Some(path) = own {
            for certificate in read(path)? {
                roots.add(certificate).map_err(|error| unreadable(path, &error))?;
            }
        }
        let verifier = Unchecked(provider.clone());
        let checked = configure(provider.clone()).with_root_certificates(roots);
        let unchecked =
            configure(provider).dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Ok(Tls {
            checked: finish(checked.with_no_client_auth()),
            unchecked: finish(unchecked.with_no_client_auth()),
        })
    }
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

#[expect(clippy::expect_used, reason = "ring has both versions of TLS")]
fn configure(provider: Arc<CryptoProvider>) -> Builder {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
}

fn finish(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(path, &error))?;
    if certificates.is_empty() {
        return Err(unreadable(path, &"there is no certificate in it"));
    }
    Ok(certificates)
}

fn unreadable(path: &Path, problem: &dyn std::fmt::Display) -> StartError {
    StartError::Roots { path: path.to_owned(), problem: problem.to_string() }
}

/// Takes any certificate, but still has the peer prove that it holds its key.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
