//! Master keys: the one that wraps, and older ones that only unwrap.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use attune_domain::clock::{Clock, Timestamp};
use attune_domain::id::TenantId;
use attune_domain::vault::{VaultError, WrappedDataKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::cipher::{Cipher, KEY_BYTES, KeyBytes, new_key};
use crate::source::{Source, SourceError};

/// A source that lacked a master key is not asked again for so long: asking may cost a process.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A key that wraps data keys.
pub struct MasterKey {
    cipher: Cipher,
    fingerprint: String,
}

impl MasterKey {
    /// A new one, as a line of a file.
    pub fn generate_line() -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*new_key()))
    }

    fn new(key: &KeyBytes) -> MasterKey {
        MasterKey { cipher: Cipher::new(key), fingerprint: fingerprint(key) }
    }

    /// Tells it from others, and is of no other use.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(crate) fn wrap(&self, tenant: TenantId, key: &KeyBytes) -> Result<Vec<u8>, VaultError> {
        self.cipher.seal(&label(tenant), &**key)
    }

    pub(crate) fn unwrap(&self, data_key: &WrappedDataKey) -> Result<KeyBytes, VaultError> {
        let opened = self.cipher.open(&label(data_key.tenant), &data_key.wrapped)?;
        let opened = Zeroizing::new(opened);
        let mut key = KeyBytes::default();
        if opened.len() != KEY_BYTES {
            return Err(VaultError::Damaged);
        }
        key.copy_from_slice(&opened);
        Ok(key)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint)
    }
}

/// What is bound to a wrapped data key: its tenant.
fn label(tenant: TenantId) -> Vec<u8> {
    [b"attune.data_key.v1\0", &tenant.0.to_be_bytes()[..]].concat()
}

/// Half of a hash: enough to tell keys apart.
fn fingerprint(key: &KeyBytes) -> String {
    let mut hash = Sha256::new();
    hash.update(b"attune: fingerprint of a master key\0");
    hash.update(key.as_slice());
    hex::encode(&hash.finalize()[..16])
}

/// The fingerprint of the first master key in a text; none when there is none.
pub fn fingerprint_of_first(text: &str) -> Option<String> {
    let ring = Ring::parse(text).ok()?;
    Some(ring.first().fingerprint().to_owned())
}

/// The master keys of one reading of the source; there is always one.
#[derive(Debug)]
pub(crate) struct Ring {
    first: Arc<MasterKey>,
    others: Vec<Arc<MasterKey>>,
}

/// Which line of a source is no key; the line itself is not told.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadKeys {
    #[error("it is empty")]
    Empty,
    #[error("line {0} is no base64 of {KEY_BYTES} bytes; one is made by: openssl rand -base64 32")]
    Line(usize),
}

impl Ring {
    /// One key in each line, the current one first. Empty lines do no harm.
    pub(crate) fn parse(text: &str) -> Result<Ring, BadKeys> {
        let lines = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty());
        let mut keys = lines.map(|(number, line)| {
            let decoded = STANDARD.decode(line).map(Zeroizing::new);
            let decoded = decoded.map_err(|_| BadKeys::Line(number))?;
            let mut key = KeyBytes::default();
            if decoded.len() != KEY_BYTES {
                return Err(BadKeys::Line(number));
            }
            key.copy_from_slice(&decoded);
            Ok(Arc::new(MasterKey::new(&key)))
        });
        let first = keys.next().ok_or(BadKeys::Empty)??;
        Ok(Ring { first, others: keys.collect::<Result<_, _>>()? })
    }

    pub(crate) fn first(&self) -> &Arc<MasterKey> {
        &self.first
    }

    pub(crate) fn get(&self, fingerprint: &str) -> Option<&Arc<MasterKey>> {
        let mut all = std::iter::once(&self.first).chain(&self.others);
        all.find(|key| key.fingerprint == fingerprint)
    }
}

/// The source of master keys, and what it last held.
pub(crate) struct Masters {
    source: Source,
    ring: RwLock<Arc<Ring>>,
    /// Held while the source is asked; when it was asked in vain.
    asking: Mutex<Option<Timestamp>>,
}

impl Masters {
    pub(crate) fn new(source: Source, ring: Ring) -> Masters {
        Masters { source, ring: RwLock::new(Arc::new(ring)), asking: Mutex::new(None) }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn ring(&self) -> Arc<Ring> {
        // Nobody panics while they hold the lock.
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the source again.
    pub(crate) async fn reread(&self) -> Result<Arc<Ring>, SourceError> {
        let ring = Arc::new(self.source.read().await?);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring.clone();
        Ok(ring)
    }

    /// The master key with this fingerprint. One that is not known may have come since the source
    /// was read, so it is read again.
    pub(crate) async fn get(
        &self,
        fingerprint: &str,
        clock: &dyn Clock,
    ) -> Result<Arc<MasterKey>, VaultError> {
        if let Some(key) = self.ring().get(fingerprint) {
            return Ok(key.clone());
        }
        let mut in_vain = self.asking.lock().await;
        if let Some(key) = self.ring().get(fingerprint) {
            return Ok(key.clone());
        }
        let now = clock.now();
        if in_vain.is_none_or(|at| at + ASK_AGAIN_AFTER < now) {
            let ring = self.reread().await;
            let ring = ring.map_err(|error| VaultError::NoMaster(error.to_string()))?;
            if let Some(key) = ring.get(fingerprint) {
                return Ok(key.clone());
            }
            *in_vain = Some(now);
        }
        let source = &self.source;
        Err(VaultError::NoMaster(format!("{source} does not hold the master key {fingerprint}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_holds_a_key_in_each_line() {
        let (one, two) = (MasterKey::generate_line(), MasterKey::generate_line());
        let ring = Ring::parse(&format!("{}\n\n  {}\r\n", &*one, &*two)).unwrap();
        let first = fingerprint_of_first(&one).unwrap();
        assert_eq!(ring.first().fingerprint(), first);
        assert!(ring.get(&first).is_some());
        assert!(ring.get(&fingerprint_of_first(&two).unwrap()).is_some());
        assert!(ring.get("another").is_none());
        assert!(!format!("{ring:?}").contains(&**one));
    }

    #[test]
    fn what_is_no_key_is_told_by_its_line() {
        assert_eq!(Ring::parse(" \n").unwrap_err(), BadKeys::Empty);
        let good = MasterKey::generate_line();
        assert_eq!(Ring::parse(&format!("{}\nhunter2", &*good)).unwrap_err(), BadKeys::Line(2));
        assert_eq!(Ring::parse("c2hvcnQ=").unwrap_err(), BadKeys::Line(1));
    }
}
