//! The bytes of a sealed value: format (1), data key (8, big endian), nonce (12), ciphertext and
//! tag.

use attune_domain::vault::VaultError;

use crate::data_keys::DataKey;

const FORMAT: u8 = 1;
const HEAD: usize = 1 + 8;

pub(crate) fn seal(key: &DataKey, label: &[u8], plain: &[u8]) -> Result<Vec<u8>, VaultError> {
    let sealed = key.cipher().seal(label, plain)?;
    Ok([&head(key)[..], &sealed].concat())
}

pub(crate) fn open(key: &DataKey, label: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
    let (found, rest) = sealed.split_first_chunk::<HEAD>().ok_or(VaultError::Damaged)?;
    if *found != head(key) {
        return Err(VaultError::Damaged);
    }
    key.cipher().open(label, rest)
}

fn head(key: &DataKey) -> [u8; HEAD] {
    let mut head = [FORMAT; HEAD];
    head[1..].copy_from_slice(&key.id().0.to_be_bytes());
    head
}
