//! Group commit: many writers, one commit, and nobody's failure is another's.

use std::sync::Arc;

use attune_domain::store::StoreError;

use crate::identities::new_identity;
use crate::support::{Database, EMBEDDED, at, demo_action, fails, own, submit};

pub(crate) async fn concurrent_submissions_outlive_the_process(database: &mut dyn Database) {
    let store = database.store();
    let action = Arc::new(demo_action(&*store, EMBEDDED).await);
    let tasks: Vec<_> = (0..100)
        .map(|second| {
            let (store, action) = (Arc::clone(&store), Arc::clone(&action));
            tokio::spawn(async move { submit(&*store, &action, second).await })
        })
        .collect();
    let mut made = Vec::new();
    for task in tasks {
        made.push(task.await.unwrap());
    }
    database.reopen().await;
    let store = database.store();
    for execution in made {
        assert_eq!(store.execution(own(), execution.id).await.unwrap(), Some(execution));
    }
}

pub(crate) async fn a_refused_job_fails_alone(database: &mut dyn Database) {
    let store = database.store();
    let tasks: Vec<_> = (0..60)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut new = new_identity(EMBEDDED, &format!("login{}", number % 30));
                new.permission_sets.push("core.viewer".to_owned());
                store.create_identity(new, at(0)).await
            })
        })
        .collect();
    let (mut made, mut refused) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(identity) => {
                made += 1;
                let read = store.identity(identity.id).await.unwrap().unwrap();
                assert_eq!(read.login, identity.login);
            }
            Err(StoreError::Duplicate(_)) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((made, refused), (30, 30));
}

pub(crate) async fn a_closed_store_refuses(database: &mut dyn Database) {
    let store = database.store();
    demo_action(&*store, EMBEDDED).await;
    database.close().await;
    fails!(store.delete_pack(own(), "demo").await, StoreError::Unavailable(_));
    fails!(store.ping().await, StoreError::Unavailable(_));
}
