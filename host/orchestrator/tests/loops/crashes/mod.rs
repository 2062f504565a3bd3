//! The crash matrix: a process is killed before and after each commit of each kind of work, on
//! both engines, and the next one puts in order what it left.
//!
//! Each kind of work is gone through in a process of its own (this test binary, started again)
//! that ends at the first commit, then at the second, and so on until it comes through. All of
//! them use one database, as the processes of a server do that dies time and again.

mod diary;
mod dying_store;
mod work;

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use attune_domain::execution::ExecutionFilter;
use attune_domain::id::ExecutionId;
use attune_domain::page::Page;
use attune_domain::store::Store;
use attune_store::{CONNECTIONS, Location};
use tempfile::TempDir;

use crate::scripted_runner::{Script, ScriptedRunner};
use crate::sim_clock::SimClock;
use crate::world::{World, test_action};
use diary::{Diary, Fact, Notes};
use dying_store::{DyingStore, Point};
use work::{WORDS, Work};

/// How the doomed process learns what to do.
const ORDERS: &str = "ATTUNE_TEST_ORDERS";
const POSTGRES: &str = "ATTUNE_TEST_POSTGRES";
/// Points at which any work is killed: two each for the lease, the beat, the request and its end.
const FEWEST_POINTS: usize = 8;
const SIGABRT: i32 = 6;

macro_rules! matrix {
    ($($name:ident: $work:ident,)*) => {
        mod sqlite { $(#[tokio::test]
        async fn $name() {
            super::kill_at_every_commit("sqlite", stringify!($name), super::Work::$work).await;
        })* }
        mod postgres { $(#[tokio::test]
        async fn $name() {
            super::kill_at_every_commit("postgres", stringify!($name), super::Work::$work).await;
        })* }
        fn work_of(name: &str) -> Work {
            match name { $(stringify!($name) => Work::$work,)* _ => panic!("no work {name}") }
        }
    };
}

matrix! {
    plain: Plain,
    cancelled_while_queued: CancelledWhileQueued,
    cancelled_while_running: CancelledWhileRunning,
    times_out: TimesOut,
    bad_parameters: BadParameters,
    not_started: NotStarted,
    lost: Lost,
    lost_with_rerun: LostWithRerun,
}

async fn kill_at_every_commit(engine: &str, name: &str, work: Work) {
    let folder = TempDir::new().unwrap();
    let site = Site::new(engine, name, folder.path());
    let mut ends = BTreeSet::new();
    // Makes the database, and what the doomed find in it.
    site.put_in_order(work, WORKERS[0], &mut ends).await;
    let mut killed = 0;
    for point in Point::all() {
        let through = site.go_through(name, point);
        // Where servers share a database, every second time another one cleans up.
        let next = WORKERS[if site.is_shared() { killed % 2 } else { 0 }];
        site.put_in_order(work, next, &mut ends).await;
        if through {
            break;
        }
        killed += 1;
    }
    assert!(killed >= FEWEST_POINTS, "only {killed} points");
    // Some were killed too early to be missed, others too late.
    assert!(
        ends.len() > 1 || matches!(work, Work::BadParameters | Work::LostWithRerun),
        "{ends:?}"
    );
}

/// The doomed one's name comes first.
const WORKERS: [&str; 2] = ["doomed", "other"];

/// A database and a diary beside it, with which one process after the other works.
struct Site {
    folder: PathBuf,
    url: String,
}

impl Site {
    fn new(engine: &str, name: &str, folder: &Path) -> Site {
        let url = match engine {
            "sqlite" => format!("sqlite:{}", folder.join("attune.db").display()),
            _ => postgres_schema(&format!("crash_{name}_{}", std::process::id())),
        };
        Site { folder: folder.to_owned(), url }
    }

    fn is_shared(&self) -> bool {
        !self.url.starts_with("sqlite:")
    }

    fn diary(&self) -> PathBuf {
        self.folder.join("diary")
    }

    /// Has another process go through the work until it is killed; true if it was not.
    fn go_through(&self, name: &str, point: Point) -> bool {
        let (when, commit) = match point {
            Point::Before(commit) => ("before", commit),
            Point::After(commit) => ("after", commit),
        };
        let folder = self.folder.display();
        let orders = format!("{name} {when} {commit} {folder} {}", self.url);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crashes::the_doomed_process", "--ignored", "--nocapture"])
            .env(ORDERS, orders)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&child.stderr);
        assert!(
            child.status.success() || child.status.signal() == Some(SIGABRT),
            "{point:?}: {:?}\n{errors}",
            child.status
        );
        child.status.success()
    }

    /// Starts a server, waits until everything has ended, and checks how.
    async fn put_in_order(&self, work: Work, worker: &str, ends: &mut BTreeSet<&'static str>) {
        let world = self.server(work, worker, self.open().await).await;
        for _ in 0..4 {
            world.runner.next(Script::Exit { stdout: WORDS, code: 0 });
        }
        let ids = all(&world).await;
        for id in &ids {
            world.as_time_passes(world.end_of(*id)).await;
        }
        let notes = Notes::read(&self.diary());
        assert!(notes.accepted().iter().all(|id| ids.contains(id)), "an accepted one is lost");
        for id in ids {
            let ended = world.store.execution(world.scope(), id).await.unwrap().unwrap();
            work.check(&ended, &notes);
            ends.insert(ended.state.status.as_str());
        }
        assert!(world.store.orphans(1).await.unwrap().is_empty());
        assert_eq!(world.orchestrator.drain().await, 0);
        world.orchestrator.leave().await;
        world.store.close().await;
    }

    async fn open(&self) -> Arc<dyn Store> {
        Location::parse(&self.url).unwrap().open(CONNECTIONS).await.unwrap()
    }

    async fn server(&self, work: Work, worker: &str, store: Arc<dyn Store>) -> World {
        let clock = Arc::new(SimClock::new());
        let action = test_action(&*store, &clock, work.on_lost()).await;
        let diary = Diary::open(&self.diary());
        let witness = Box::new(move |id| diary.note(Fact::Entered, id));
        let runner = ScriptedRunner::witnessed(1, witness);
        World::start(None, store, clock, action, runner, worker).await
    }
}

async fn all(world: &World) -> BTreeSet<ExecutionId> {
    let page = Page { number: 1, size: 1000, count: false };
    let filter = ExecutionFilter::default();
    let listed = world.store.executions(world.scope(), &filter, page).await.unwrap();
    listed.items.iter().map(|summary| summary.id).collect()
}

/// Is not a test: it is what the tests of the matrix kill.
#[tokio::test]
#[ignore = "started by the crash matrix, in a process of its own"]
async fn the_doomed_process() {
    let orders = std::env::var(ORDERS).unwrap();
    let words: Vec<&str> = orders.splitn(5, ' ').collect();
    let [name, when, commit, folder, url] = words.as_slice() else { panic!("{orders}") };
    let commit = commit.parse().unwrap();
    let point = if *when == "before" { Point::Before(commit) } else { Point::After(commit) };
    let site = Site { folder: PathBuf::from(folder), url: (*url).to_owned() };
    let store = Arc::new(DyingStore::new(site.open().await, point));
    let mut world = site.server(work_of(name), WORKERS[0], store).await;
    work_of(name).go_through(&mut world, &Diary::open(&site.diary())).await;
    assert_eq!(world.orchestrator.drain().await, 0);
    world.orchestrator.leave().await;
}

/// The URL of a schema that nobody else uses, in the database that `tests/support/postgres.py`
/// starts.
fn postgres_schema(schema: &str) -> String {
    let url = std::env::var(POSTGRES).unwrap_or_else(|_| {
        panic!("{POSTGRES} is not set: run `.config/python.sh tests -m support.postgres cargo …`")
    });
    let create = format!("--command=CREATE SCHEMA {schema}");
    let made = Command::new("psql").args([&url, "--quiet", &create]).status().unwrap();
    assert!(made.success(), "{made}");
    format!("{url}&application_name={schema}&options=-csearch_path%3D{schema}")
}
