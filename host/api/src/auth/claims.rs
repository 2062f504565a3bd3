//! Session tokens: JSON Web Tokens, HS256 and nothing else.

use attune_domain::clock::Timestamp;
use attune_domain::identity::TokenKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::state::SecretBytes;

/// What a token says (contract, auth section 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The identity's id, as a string.
    pub(crate) sub: String,
    pub(crate) login: String,
    /// Unix seconds.
    pub(crate) iat: i64,
    /// Unix seconds.
    pub(crate) exp: i64,
    pub(crate) token_type: TokenKind,
    /// The id under which the server recorded the token.
    pub(crate) jti: String,
}

/// Tells a signing secret from others, and is of no other use.
pub fn fingerprint(secret: &SecretBytes) -> Result<String, jsonwebtoken::errors::Error> {
    let key = EncodingKey::from_secret(secret.expose());
    jsonwebtoken::crypto::sign(b"attune: fingerprint of the signing secret", &key, Algorithm::HS256)
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadToken {
    #[error("Invalid authentication token")]
    Invalid,
    #[error("Authentication token has expired")]
    Expired,
    #[error("This kind of token cannot be used here")]
    WrongKind,
}

/// Signs and verifies with the server's secret.
pub(crate) struct TokenKeys {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl TokenKeys {
    pub(crate) fn new(secret: &SecretBytes) -> TokenKeys {
        let mut validation = Validation::new(Algorithm::HS256);
        // Expiry is checked below, against the server's own clock and without leeway.
        validation.validate_exp = false;
        validation.set_required_spec_claims::<&str>(&[]);
        TokenKeys {
            signing: EncodingKey::from_secret(secret.expose()),
            verifying: DecodingKey::from_secret(secret.expose()),
            validation,
        }
    }

    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.signing)
    }

    /// The claims of a token that this server signed, that is of `kind` and has not expired.
    pub(crate) fn verify(
        &self,
        token: &str,
        kind: TokenKind,
        now: Timestamp,
    ) -> Result<Claims, BadToken> {
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation);
        let claims = decoded.map_err(|_| BadToken::Invalid)?.claims;
        if claims.token_type != kind {
            return Err(BadToken::WrongKind);
        }
        if claims.exp <= now.timestamp() {
            return Err(BadToken::Expired);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn keys() -> TokenKeys {
        TokenKeys::new(&SecretBytes::new("a secret of the server"))
    }

    fn claims(kind: TokenKind) -> Claims {
        Claims {
            sub: "7".to_owned(),
            login: "ada".to_owned(),
            iat: NOW,
            exp: NOW + 60,
            token_type: kind,
            jti: "one".to_owned(),
        }
    }

    fn verify_at(token: &str, seconds: i64) -> Result<Claims, BadToken> {
        let now = DateTime::from_timestamp(seconds, 0).unwrap();
        keys().verify(token, TokenKind::Access, now)
    }

    fn forged(header: &Header, secret: &[u8]) -> String {
        let key = EncodingKey::from_secret(secret);
        jsonwebtoken::encode(header, &claims(TokenKind::Access), &key).unwrap()
    }

    /// Base64url without padding: tests forge what the library refuses to make.
    fn base64url(bytes: &[u8]) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
            let word = word << (8 * (3 - chunk.len()));
            for position in 0..=chunk.len() {
                let index = (word >> (18 - 6 * position)) & 63;
                text.push(char::from(ALPHABET[index as usize]));
            }
        }
        text
    }

    #[test]
    fn a_fingerprint_tells_secrets_apart() {
        let of = |secret: &str| fingerprint(&SecretBytes::new(secret)).unwrap();
        assert_eq!(of("a secret"), of("a secret"));
        assert_ne!(of("a secret"), of("another"));
    }

    #[test]
    fn what_was_signed_is_accepted_until_it_expires() {
        let claims = claims(TokenKind::Access);
        let token = keys().sign(&claims).unwrap();
        assert_eq!(verify_at(&token, NOW), Ok(claims));
        assert!(verify_at(&token, NOW + 59).is_ok());
        assert_eq!(verify_at(&token, NOW + 60), Err(BadToken::Expired));
    }

    #[test]
    fn a_refresh_token_is_no_bearer_token() {
        let token = keys().sign(&claims(TokenKind::Refresh)).unwrap();
        assert_eq!(verify_at(&token, NOW), Err(BadToken::WrongKind));
    }

    #[test]
    fn another_key_or_algorithm_is_refused() {
        let other_key = forged(&Header::new(Algorithm::HS256), b"guess");
        assert_eq!(verify_at(&other_key, NOW), Err(BadToken::Invalid));
        let other_algorithm = forged(&Header::new(Algorithm::HS512), b"a secret of the server");
        assert_eq!(verify_at(&other_algorithm, NOW), Err(BadToken::Invalid));
    }

    #[test]
    fn no_algorithm_is_refused() {
        for algorithm in ["none", "None", "NONE"] {
            let header = base64url(json!({"alg": algorithm, "typ": "JWT"}).to_string().as_bytes());
            let payload = serde_json::to_string(&claims(TokenKind::Access)).unwrap();
            let token = format!("{header}.{}.", base64url(payload.as_bytes()));
            assert_eq!(verify_at(&token, NOW), Err(BadToken::Invalid), "{algorithm}");
        }
    }

    #[test]
    fn a_changed_payload_is_refused() {
        let token = keys().sign(&claims(TokenKind::Access)).unwrap();
        let mut parts: Vec<&str> = token.split('.').collect();
        let other = Claims { sub: "1".to_owned(), ..claims(TokenKind::Access) };
        let payload = base64url(serde_json::to_string(&other).unwrap().as_bytes());
        parts[1] = &payload;
        assert_eq!(verify_at(&parts.join("."), NOW), Err(BadToken::Invalid));
        assert_eq!(verify_at("", NOW), Err(BadToken::Invalid));
        assert_eq!(verify_at("a.b.c", NOW), Err(BadToken::Invalid));
    }
}
