//! Sealing and opening.

use attune_domain::vault::{Place, Sealed, Vault, VaultError};
use bytes::Bytes;

use crate::world::{World, own, scope};

#[tokio::test]
async fn a_value_opens_in_its_place_and_tenant_alone() {
    let world = World::new().await;
    let vault = world.start().await.unwrap();
    let sealed = vault.seal(own(), Place::Key("token"), b"a secret").await.unwrap();
    let open = async |scope, place| vault.open(scope, place, &sealed).await;
    assert_eq!(open(own(), Place::Key("token")).await.unwrap(), b"a secret");
    assert!(matches!(open(own(), Place::Key("other")).await, Err(VaultError::Damaged)));
    assert!(matches!(open(scope(0), Place::Key("token")).await, Err(VaultError::Stale)));
    assert!(!sealed.bytes.windows(8).any(|part| part == b"a secret"));
    assert!(!format!("{sealed:?}").contains(&format!("{:?}", &sealed.bytes[..4])));
}

#[tokio::test]
async fn a_value_that_was_changed_does_not_open() {
    let world = World::new().await;
    let vault = world.start().await.unwrap();
    let place = Place::Key("token");
    let sealed = vault.seal(own(), place, b"a secret").await.unwrap();
    for at in 0..sealed.bytes.len() {
        let mut bytes = sealed.bytes.to_vec();
        bytes[at] ^= 1;
        let changed = Sealed { bytes: bytes.into(), ..sealed.clone() };
        assert!(vault.open(own(), place, &changed).await.is_err(), "byte {at}");
    }
    let empty = Sealed { bytes: Bytes::new(), ..sealed };
    assert!(vault.open(own(), place, &empty).await.is_err());
}

#[tokio::test]
async fn tenants_have_data_keys_of_their_own() {
    let world = World::new().await;
    let vault = world.start().await.unwrap();
    let place = Place::Key("token");
    let one = vault.seal(own(), place, b"x").await.unwrap();
    let other = vault.seal(scope(0), place, b"x").await.unwrap();
    assert_ne!(one.data_key, other.data_key);
    assert!(vault.open(scope(0), place, &one).await.is_err());
}

#[tokio::test]
async fn servers_that_seal_first_at_once_share_a_data_key() {
    let world = World::new().await;
    world.start().await.unwrap();
    let sealed = (0..8).map(async |_| {
        let vault = world.start().await.unwrap();
        vault.seal(own(), Place::Key("token"), b"a secret").await.unwrap()
    });
    let sealed = futures::future::join_all(sealed).await;
    assert!(sealed.iter().all(|value| value.data_key == sealed[0].data_key));
    let another = world.start().await.unwrap();
    for value in &sealed {
        let opened = another.open(own(), Place::Key("token"), value).await.unwrap();
        assert_eq!(opened, b"a secret");
    }
}
