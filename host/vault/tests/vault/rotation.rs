//! New data keys, while values are read and written.

use attune_domain::key::KeyChange;
use attune_domain::vault::{Place, Vault};
use bytes::Bytes;

use crate::world::{World, audit, now, own};

#[tokio::test]
async fn values_are_sealed_anew_and_the_old_data_key_goes() {
    let world = World::new().await;
    let vault = world.start().await.unwrap();
    for number in 0..40 {
        world.store_key(&vault, &format!("k{number}"), &format!("value {number}")).await;
    }
    let before = world.stored("k7").await;
    let new = vault.rotate_data_key(own()).await.unwrap();
    assert_ne!(new, before.value.data_key);
    for number in 0..40 {
        let read = world.value(&vault, &format!("k{number}")).await;
        assert_eq!(read, format!("value {number}"), "at once");
    }
    world.all_sealed_anew().await;
    let after = world.stored("k7").await;
    assert_eq!((after.value.data_key, after.key.version), (new, before.key.version));
    assert_eq!(world.value(&vault, "k7").await, "value 7");
    let state = vault.state(own()).await.unwrap();
    assert_eq!((state.data_key, state.retired_data_keys), (Some(new), 0));
}

#[tokio::test]
async fn what_a_server_left_the_next_one_finishes() {
    let world = World::new().await;
    let vault = world.start().await.unwrap();
    world.store_key(&vault, "token", "a secret").await;
    drop(vault);
    // A server that dies between the new data key and the first value that it seals anew.
    let crippled = world.start().await.unwrap();
    let fresh = crippled.seal(own(), Place::Key("x"), b"x").await.unwrap();
    let current = world.store.current_data_key(own()).await.unwrap().unwrap();
    let wrapped: Bytes = current.wrapped.clone();
    let replaced = Some(fresh.data_key);
    let (store, master) = (&world.store, current.master.as_str());
    store.add_data_key(own(), wrapped, master, replaced, now()).await.unwrap();
    drop(crippled);

    let next = world.start().await.unwrap();
    world.all_sealed_anew().await;
    assert_ne!(world.stored("token").await.value.data_key, fresh.data_key);
    assert_eq!(world.value(&next, "token").await, "a secret");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_all_goes_on() {
    let world = World::new().await;
    let (vault, other) = (world.start().await.unwrap(), world.start().await.unwrap());
    for number in 0..10 {
        world.store_key(&vault, &format!("k{number}"), "0").await;
    }
    let rotate = async {
        for _ in 0..10 {
            vault.rotate_data_key(own()).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let count = async |vault: &attune_vault::KeyVault| {
        for round in 0..200 {
            let reference = format!("k{}", round % 10);
            while !count_up(&world, vault, &reference).await {}
        }
    };
    futures::join!(rotate, count(&vault), count(&other));
    for number in 0..10 {
        assert_eq!(world.value(&other, &format!("k{number}")).await, "40");
    }
    vault.rotate_data_key(own()).await.unwrap();
    world.all_sealed_anew().await;
}

/// False when somebody else came first.
async fn count_up(world: &World, vault: &attune_vault::KeyVault, reference: &str) -> bool {
    let place = Place::Key(reference);
    let stored = world.stored(reference).await;
    // Its data key may be gone since: whoever reads reads again.
    let Ok(plain) = vault.open(own(), place, &stored.value).await else { return false };
    let number: u32 = String::from_utf8(plain).unwrap().parse().unwrap();
    let value = vault.seal(own(), place, (number + 1).to_string().as_bytes()).await.unwrap();
    let change = KeyChange { value: Some(value), ..KeyChange::default() };
    world.store.update_key(own(), &stored.key, change, audit(), now()).await.is_ok()
}
