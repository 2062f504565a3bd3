//! Master keys: the right one, a new one, and none.

use std::fs;

use attune_domain::vault::{Place, Vault, VaultError};
use attune_vault::{MasterKey, Source, fingerprint_of_first};

use crate::world::{World, own};

#[tokio::test]
async fn a_new_master_key_takes_over_while_servers_run() {
    let world = World::new().await;
    let (vault, other) = (world.start().await.unwrap(), world.start().await.unwrap());
    world.store_key(&vault, "token", "a secret").await;
    world.put_new_master();
    let rotated = vault.rotate_master_key().await.unwrap();
    let first = fingerprint_of_first(&fs::read_to_string(world.file()).unwrap()).unwrap();
    assert_eq!((rotated.fingerprint, rotated.rewrapped), (first.clone(), 1));
    assert_eq!(vault.rotate_master_key().await.unwrap().rewrapped, 0, "nothing is left to do");
    world.forget_old_masters();
    // A server that has read the file before finds the new key there.
    assert_eq!(world.value(&other, "token").await, "a secret");
    other.rotate_data_key(own()).await.unwrap();
    world.all_sealed_anew().await;
    assert_eq!(other.state(own()).await.unwrap().master_key, first);
    let next = world.start().await.unwrap();
    assert_eq!(world.value(&next, "token").await, "a secret");
}

#[tokio::test]
async fn a_first_key_that_was_not_rotated_to_wraps_nothing() {
    let world = World::new().await;
    let vault = world.start().await.unwrap();
    let before = vault.state(own()).await.unwrap().master_key;
    world.put_new_master();
    let next = world.start().await.unwrap();
    next.seal(own(), Place::Key("token"), b"x").await.unwrap();
    assert_eq!(world.store.data_keys().await.unwrap()[0].master, before);
}

#[tokio::test]
async fn a_start_without_the_right_master_key_is_refused() {
    let world = World::new().await;
    let vault = world.start().await.unwrap();
    world.store_key(&vault, "token", "a secret").await;
    let right = fs::read_to_string(world.file()).unwrap();

    fs::remove_file(world.file()).unwrap();
    let refused = world.start().await.err().unwrap().to_string();
    assert!(refused.contains("missing") && refused.contains("--master-key-file"), "{refused}");
    assert!(!world.file().exists());

    fs::write(world.file(), &*MasterKey::generate_line()).unwrap();
    let refused = world.start().await.err().unwrap().to_string();
    assert!(refused.contains("does not hold"), "{refused}");
    assert!(refused.contains("ATTUNE_MASTER_KEY"), "{refused}");

    let text = Source::Text(right.into());
    let vault = world.start_with(text).await.unwrap();
    assert_eq!(world.value(&vault, "token").await, "a secret");
}

#[tokio::test]
async fn a_master_key_that_goes_away_is_told_and_may_come_back() {
    let world = World::new().await;
    let vault = world.start().await.unwrap();
    world.store_key(&vault, "token", "a secret").await;
    let fresh = world.start().await.unwrap();
    world.put_new_master();
    let file = fs::read_to_string(world.file()).unwrap();
    vault.rotate_master_key().await.unwrap();
    fs::remove_file(world.file()).unwrap();
    let stored = world.stored("token").await;
    let place = Place::Key("token");
    let refused = fresh.open(own(), place, &stored.value).await;
    assert!(matches!(refused, Err(VaultError::NoMaster(_))), "{refused:?}");
    fs::write(world.file(), file).unwrap();
    assert_eq!(world.value(&fresh, "token").await, "a secret");
}
