//! Password hashing: Argon2id, off the async threads, a few at a time.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

/// Hashes computed at once; each takes 19 MiB and a core for some tens of milliseconds.
const PARALLEL: usize = 2;

/// A real hash of nothing anybody knows, with today's parameters: an unknown login must take
/// as long as a wrong password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
    4Hn0PTUB1GVIxmC1IDqbxr0sEWBxEmPKkqPVbDGVIfs";

/// A password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
#[error("a password could not be hashed: {0}")]
pub struct HashError(String);

/// The Argon2id hash of a password in PHC form, with a fresh salt.
pub async fn hash_password(password: String) -> Result<String, HashError> {
    off_thread(move || {
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|error| HashError(error.to_string()))
    })
    .await?
}

/// Bounds how much hashing strangers can cause.
pub(crate) struct Passwords {
    permits: Semaphore,
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords { permits: Semaphore::new(PARALLEL) }
    }
}

impl Passwords {
    pub(crate) async fn hash(&self, password: String) -> Result<String, HashError> {
        let _permit = self.permits.acquire().await;
        hash_password(password).await
    }

    /// Whether `password` belongs to `hash`. Without a hash the answer is no, after the same time.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, HashError> {
        let _permit = self.permits.acquire().await;
        off_thread(move || {
            let known = hash.is_some();
            matches(&password, hash.as_deref().unwrap_or(NOBODY)) && known
        })
        .await
    }
}

/// A stored hash that cannot be read matches nothing.
fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HashError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| HashError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let check = async |password: &str, hash: Option<String>| {
            passwords.verify(password.to_owned(), hash).await.unwrap()
        };
        assert!(check("correct horse", Some(hash.clone())).await);
        assert!(!check("wrong horse", Some(hash)).await);
        assert!(!check("correct horse", None).await);
        assert!(!check("anything", Some("damaged".to_owned())).await);
    }

    #[test]
    fn the_hash_for_unknown_logins_costs_as_much_as_a_real_one() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let real = Argon2::default().hash_password(b"x").unwrap();
        assert_eq!(nobody.params, real.params);
        assert_eq!(nobody.algorithm, real.algorithm);
    }
}
