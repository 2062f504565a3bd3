//! A power cut: what was acknowledged must be in what the disk had been made to keep.
//!
//! `kill -9` proves little, as the page cache survives it. Here a child process works on
//! a store while a preloaded shim journals each write and each fsync; the tests then make
//! the folder as it is guaranteed to be at chosen moments, open it, and look for every
//! submission that had been acknowledged by then.

mod journal;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use attune_domain::execution::{ExecutionStatus, NewExecution, State};
use attune_domain::id::ExecutionId;
use attune_domain::runner::Stream;
use attune_domain::store::{ExecutionStore, LogChunk, Store, StoreError, Submitted};
use attune_store::SqliteStore;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};
use tempfile::TempDir;

use crate::support::{EMBEDDED, at, demo_action, new_execution, own, submit};
use journal::Record;

/// Names the folder in which a child is to work.
const CHILD_FOLDER: &str = "ATTUNE_SHIM_FOLDER";
const FULL_FLAG: &str = "ATTUNE_SHIM_FULL";

/// Submissions of the child.
const TASKS: i64 = 8;
const EACH: i64 = 60;

/// Bytes of each result: six pages of its own, however few commits the work is grouped
/// into, so that all of them are several checkpoints of the WAL (of 1000 pages).
const RESULT: usize = 25_000;

/// Moments at which the power is cut, spread over the child's life.
const CUTS: usize = 20;

/// A folder for a child, beside it the journal and the shim.
struct Stage {
    root: TempDir,
}

impl Stage {
    fn new() -> Stage {
        let stage = Stage { root: tempfile::tempdir().unwrap() };
        std::fs::create_dir(stage.folder()).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/replay/shim.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(stage.path("shim.so")).arg(source);
        assert!(compiler.status().unwrap().success(), "the shim does not compile");
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn folder(&self) -> PathBuf {
        self.path("folder")
    }

    /// Runs one of the tests below that are children, under the shim.
    fn run(&self, child: &str) -> Output {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", child])
            .env("LD_PRELOAD", self.path("shim.so"))
            .env(CHILD_FOLDER, self.folder())
            .env("ATTUNE_SHIM_JOURNAL", self.path("journal"))
            .env(FULL_FLAG, self.path("full"))
            .output()
            .unwrap()
    }

    fn records(&self) -> Vec<Record> {
        journal::read(&std::fs::read(self.path("journal")).unwrap())
    }
}

fn child_folder() -> PathBuf {
    std::env::var_os(CHILD_FOLDER).expect("runs only as a child of another test").into()
}

/// Child: submits and ends executions, and says which ones it was told are on disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs as a child of the_power_may_go_at_any_moment"]
async fn busy_child() {
    let folder = child_folder();
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&folder.join("attune.db")).await.unwrap());
    let messages = Arc::new(Mutex::new(std::fs::File::create(folder.join("messages")).unwrap()));
    let action = Arc::new(demo_action(&*store, EMBEDDED).await);
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let (store, action) = (Arc::clone(&store), Arc::clone(&action));
        let messages = Arc::clone(&messages);
        tasks.push(tokio::spawn(async move {
            for number in 0..EACH {
                let made = submit(&*store, &action, task * EACH + number).await;
                say(&messages, &format!("submitted {}\n", made.id));
                let state = State {
                    status: ExecutionStatus::Completed,
                    version: 1,
                    result: Some("x".repeat(RESULT).into()),
                    ..made.state
                };
                let bytes = "output".into();
                let log = vec![LogChunk { stream: Stream::Stdout, offset: 0, bytes }];
                store.write_state(own(), made.id, &state, log, None).await.unwrap();
                say(&messages, &format!("ended {}\n", made.id));
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    // Without closing anything: the journal ends in the middle of life.
    std::process::exit(0);
}

fn say(messages: &Mutex<std::fs::File>, message: &str) {
    messages.lock().unwrap().write_all(message.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_power_may_go_at_any_moment() {
    let stage = Stage::new();
    let output = stage.run("replay::busy_child");
    let records = stage.records();
    let promises = promises(&records);
    assert_eq!(promises.len(), usize::try_from(TASKS * EACH).unwrap(), "{output:?}");
    assert!(promises.values().all(|promised| *promised == ExecutionStatus::Completed));
    the_journal_is_complete(&stage, &records);
    assert!(checkpoints(&records) >= 2, "the work is too small to reach a checkpoint");

    let first = records.iter().position(|record| matches!(record, Record::Message(_))).unwrap();
    for cut in 0..=CUTS {
        let moment = first + (records.len() - first) * cut / CUTS;
        // Nothing that was not synced, all of it, and two mixtures.
        survives(&records[..moment], &|_| false).await;
        survives(&records[..moment], &|index| index % 3 == cut % 3).await;
        survives(&records[..moment], &|index| (index / 2) % 2 == cut % 2).await;
        survives(&records[..moment], &|_| true).await;
    }
}

/// What had been acknowledged, by execution.
fn promises(records: &[Record]) -> BTreeMap<ExecutionId, ExecutionStatus> {
    let mut promises = BTreeMap::new();
    for record in records {
        let Record::Message(message) = record else { continue };
        let (word, id) = message.trim().split_once(' ').unwrap();
        let status = match word {
            "ended" => ExecutionStatus::Completed,
            _ => ExecutionStatus::Requested,
        };
        promises.insert(ExecutionId(id.parse().unwrap()), status);
    }
    promises
}

/// All records together make the very files that the child left: the shim missed nothing.
fn the_journal_is_complete(stage: &Stage, records: &[Record]) {
    let replayed = journal::after_power_cut(records, &|_| true);
    assert!(replayed.contains_key("attune.db-wal"));
    for (name, content) in replayed {
        let left = std::fs::read(stage.folder().join(&name)).unwrap();
        assert!(left == content, "{name}: {} bytes left, {} replayed", left.len(), content.len());
    }
}

/// Syncs of the database file itself, which only a checkpoint does once WAL is on.
fn checkpoints(records: &[Record]) -> usize {
    let mut database = None;
    let mut messages = false;
    let mut count = 0;
    for record in records {
        match record {
            Record::Created { inode, name } if name == "attune.db" => database = Some(*inode),
            Record::Message(_) => messages = true,
            Record::Synced { inode } if messages && Some(*inode) == database => count += 1,
            _ => {}
        }
    }
    count
}

/// Makes what a power cut leaves, opens it, and looks for what was promised.
async fn survives(records: &[Record], luck: journal::Luck<'_>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in journal::after_power_cut(records, luck) {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let path = folder.path().join("attune.db");
    let store = SqliteStore::open(&path).await.unwrap();
    for (id, promised) in promises(records) {
        let found = store.execution(own(), id).await.unwrap();
        let found = found.unwrap_or_else(|| panic!("execution {id} is lost"));
        assert_eq!(found.config, new_execution_config());
        if promised == ExecutionStatus::Completed {
            assert_eq!(found.state.status, promised, "the end of execution {id} is lost");
            let log = store.read_log(own(), id, Stream::Stdout, 0, 99).await.unwrap();
            assert_eq!(log, "output");
        }
    }
    store.close().await;
    assert_eq!(integrity(&path).await, "ok");
}

fn new_execution_config() -> Option<attune_domain::JsonObject> {
    serde_json::json!({"name": "world"}).as_object().cloned()
}

async fn integrity(path: &Path) -> String {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    row.get(0)
}

/// Child: meets a full disk, gets over it, and keeps what it had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs as a child of a_full_disk_is_said_and_gets_better"]
async fn child_on_a_full_disk() {
    let flag = PathBuf::from(std::env::var_os(FULL_FLAG).unwrap());
    let path = child_folder().join("attune.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).await.unwrap());
    let action = Arc::new(demo_action(&*store, EMBEDDED).await);
    let before = submit(&*store, &action, 0).await;

    std::fs::write(&flag, "").unwrap();
    let refused: Vec<_> = (0..20)
        .map(|_| {
            let (store, action) = (Arc::clone(&store), Arc::clone(&action));
            tokio::spawn(async move {
                let new: NewExecution = new_execution(&action, at(1));
                store.submit(own(), new, at(1)).await
            })
        })
        .collect();
    for submission in refused {
        let result: Result<Submitted, StoreError> = submission.await.unwrap();
        assert!(matches!(result, Err(StoreError::Full)), "{result:?}");
    }
    assert_eq!(store.execution(own(), before.id).await.unwrap().as_ref(), Some(&before));

    std::fs::remove_file(&flag).unwrap();
    let after = submit(&*store, &action, 2).await;
    let summary = store.execution_stats(own()).await.unwrap();
    assert_eq!(summary.total, 2);
    assert_eq!(store.execution(own(), after.id).await.unwrap(), Some(after));
}

#[test]
fn a_full_disk_is_said_and_gets_better() {
    let output = Stage::new().run("replay::child_on_a_full_disk");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
