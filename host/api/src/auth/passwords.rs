//! Password hashing: Argon2id, off the async threads, a few at a time.

use std::sync::Arc;

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
    off_thread(move || hash(&password)).await?
}

/// Bounds how much hashing strangers can cause.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords { permits: Arc::new(Semaphore::new(PARALLEL)) }
    }
}

impl Passwords {
    pub(crate) async fn hash(&self, password: String) -> Result<String, HashError> {
        self.in_turn(move || hash(&password)).await?
    }

    /// Whether `password` belongs to `hash`. Without a hash the answer is no, after the same time.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, HashError> {
        self.in_turn(move || {
            let known = hash.is_some();
            matches(&password, hash.as_deref().unwrap_or(NOBODY)) && known
        })
        .await
    }

    /// The permit goes with the work: a client that disconnects ends its request, but not
    /// a hash that has begun.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let permit = self.permits.clone().acquire_owned().await;
        off_thread(move || {
            let _permit = permit;
            work()
        })
        .await
    }
}

fn hash(password: &str) -> Result<String, HashError> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| HashError(error.to_string()))
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
    use std::sync::mpsc;

    use futures::FutureExt;

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

    #[tokio::test]
    async fn a_client_that_goes_away_frees_no_place() {
        let passwords = Passwords::default();
        let (finish, told_to_finish) = mpsc::channel::<()>();
        let gone = passwords.in_turn(move || told_to_finish.recv()).now_or_never();
        assert!(gone.is_none(), "it was dropped while its work went on");
        assert_eq!(passwords.permits.available_permits(), PARALLEL - 1);
        finish.send(()).unwrap();
        let all = u32::try_from(PARALLEL).unwrap();
        assert!(passwords.permits.acquire_many(all).await.is_ok());
    }

    #[test]
    fn the_hash_for_unknown_logins_costs_as_much_as_a_real_one() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let real = Argon2::default().hash_password(b"x").unwrap();
        assert_eq!(nobody.params, real.params);
        assert_eq!(nobody.algorithm, real.algorithm);
    }
}
