//! AES-256-GCM, and nothing of what it is for.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Key, KeyInit};
use attune_domain::vault::VaultError;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// The bytes of a key, overwritten when they are dropped.
pub(crate) type KeyBytes = Zeroizing<[u8; KEY_BYTES]>;

/// A new key, of the system's randomness.
pub(crate) fn new_key() -> KeyBytes {
    Zeroizing::new(rand::random())
}

/// Seals and opens with one key. What it holds of the key is overwritten when it is dropped.
pub(crate) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(crate) fn new(key: &KeyBytes) -> Cipher {
        // A view of the bytes, not another copy that nobody overwrites.
        let key: &Key<Aes256Gcm> = (&**key).into();
        Cipher(Aes256Gcm::new(key))
    }

    /// A random nonce, and the sealed bytes. With random nonces a key is good for 2^32 values,
    /// more than a tenant changes in many years.
    pub(crate) fn seal(&self, label: &[u8], plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let sealed = self.0.encrypt(&nonce.into(), Payload { msg: plain, aad: label });
        // Fails beyond 64 GB only.
        let sealed = sealed.map_err(|_| VaultError::Damaged)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// What was sealed under the same label; none when it was not, or was changed.
    pub(crate) fn open(&self, label: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (nonce, sealed) =
            sealed.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Damaged)?;
        let opened = self.0.decrypt(&(*nonce).into(), Payload { msg: sealed, aad: label });
        opened.map_err(|_| VaultError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_under_its_label_alone() {
        let cipher = Cipher::new(&new_key());
        let sealed = cipher.seal(b"here", b"a secret").unwrap();
        assert_eq!(cipher.open(b"here", &sealed).unwrap(), b"a secret");
        assert!(cipher.open(b"there", &sealed).is_err());
        assert!(Cipher::new(&new_key()).open(b"here", &sealed).is_err());
        assert_ne!(cipher.seal(b"here", b"a secret").unwrap(), sealed, "each has its own nonce");
    }

    #[test]
    fn each_changed_bit_shows() {
        let cipher = Cipher::new(&new_key());
        let sealed = cipher.seal(b"here", b"a secret").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(cipher.open(b"here", &changed).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(cipher.open(b"here", &sealed[..length]).is_err(), "{length} bytes");
        }
    }
}
