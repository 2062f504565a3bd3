//! The one writer, with group commit.
//!
//! A task owns the connection that writes. It takes all jobs that wait, runs them in
//! one transaction, and answers their callers only after the commit is on disk. While
//! it waits for the disk the next jobs gather, so that many writes share one sync.

use std::time::Instant;

use attune_domain::store::{StoreError, StoreResult};
use futures::future::BoxFuture;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::{mpsc, oneshot};

use super::engine::Connection;
use crate::error::{Stored, closed, is_engine_failure, share};
use crate::measure;

/// Jobs that share a commit at most; bounds how long the first one waits.
const BATCH: usize = 128;

/// Jobs that may wait before callers have to.
const QUEUE: usize = 1024;

/// Hands work to the task that writes.
#[derive(Clone)]
pub(crate) struct Writer {
    messages: mpsc::Sender<Message>,
}

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// What must be undone when a job fails while others share its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Undo {
    /// Whatever it has changed so far.
    Changes,
    /// Nothing: it refuses, if at all, before it has changed anything.
    Nothing,
}

impl Writer {
    /// Starts the task.
    pub(crate) fn start(connection: Connection, options: SqliteConnectOptions) -> Writer {
        let (messages, inbox) = mpsc::channel(QUEUE);
        tokio::spawn(Desk { connection, options, begun: false }.work(inbox));
        Writer { messages }
    }

    /// Runs `work` and commits it. An error of `work` takes back what it changed.
    pub(crate) async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
    {
        self.hand_over(work, Undo::Changes).await
    }

    /// Like [`Writer::write`] but cheaper, for work that finds out whether it has to refuse
    /// before it changes anything. (A failing statement takes itself back.)
    pub(crate) async fn write_or_refuse<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
    {
        self.hand_over(work, Undo::Nothing).await
    }

    /// Runs one statement.
    pub(crate) async fn write_one<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
    {
        self.hand_over(work, Undo::Nothing).await
    }

    /// Like [`Writer::write_one`]: nobody here holds a lock for which others would wait.
    pub(crate) async fn write_at_once<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
    {
        self.write_one(work).await
    }

    async fn hand_over<T, F>(&self, work: F, undo: Undo) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Task { work, undo, answer });
        self.messages.send(Message::Job(job)).await.map_err(|_| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Commits what waits, and gives the connection up. Later writes fail.
    pub(crate) async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.messages.send(Message::Close(answer)).await.is_ok() {
            // The answer is lost only with the task itself, which then has nothing to close.
            let _ = answered.await;
        }
    }
}

/// Work together with the caller who waits for it.
trait Job: Send {
    fn undo(&self) -> Undo;
    fn run(self: Box<Self>, connection: &mut Connection) -> BoxFuture<'_, Ran>;
    fn refuse(self: Box<Self>, error: &StoreError);
}

/// A job that was run but not yet committed.
struct Ran {
    failure: Failure,
    answer: Answer,
}

/// Answers the caller, once it is known whether the commit succeeded.
type Answer = Box<dyn FnOnce(Result<(), &StoreError>) + Send>;

/// A job's error, as far as the transaction is concerned.
enum Failure {
    None,
    /// The job refused; the others go on.
    Job,
    /// The database failed; nothing of the transaction may stay.
    Engine(StoreError),
}

struct Task<F, T> {
    work: F,
    undo: Undo,
    answer: oneshot::Sender<StoreResult<T>>,
}

impl<T, F> Job for Task<F, T>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, StoreResult<T>> + Send + 'static,
{
    fn undo(&self) -> Undo {
        self.undo
    }

    fn run(self: Box<Self>, connection: &mut Connection) -> BoxFuture<'_, Ran> {
        Box::pin(async move {
            let Task { work, answer, .. } = *self;
            let result = work(connection).await;
            let failure = match &result {
                Ok(_) => Failure::None,
                Err(error) if is_engine_failure(error) => Failure::Engine(share(error)),
                Err(_) => Failure::Job,
            };
            let answer = move |committed: Result<(), &StoreError>| {
                let result = match committed {
                    Ok(()) => result,
                    Err(error) => result.and_then(|_| Err(share(error))),
                };
                // A caller that has gone away wants no answer.
                let _ = answer.send(result);
            };
            Ran { failure, answer: Box::new(answer) }
        })
    }

    fn refuse(self: Box<Self>, error: &StoreError) {
        let _ = self.answer.send(Err(share(error)));
    }
}

/// The writing task.
struct Desk {
    connection: Connection,
    options: SqliteConnectOptions,
    /// Whether a transaction has been opened for the jobs to come. It holds no lock before
    /// its first statement, and the jobs need not wait for it.
    begun: bool,
}

impl Desk {
    async fn work(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(BATCH);
        let mut closing = Vec::new();
        while inbox.recv_many(&mut messages, BATCH).await > 0 {
            let mut jobs = Vec::with_capacity(messages.len());
            for message in messages.drain(..) {
                match message {
                    Message::Job(job) => jobs.push(job),
                    Message::Close(answer) => {
                        // What has been handed over already is still received and done.
                        inbox.close();
                        closing.push(answer);
                    }
                }
            }
            if !jobs.is_empty() {
                let (count, began) = (jobs.len(), Instant::now());
                self.commit(jobs).await;
                measure::commit(count, began.elapsed());
                // An error is found again, and told, when there is a job.
                self.begun = self.execute("BEGIN").await.is_ok();
            }
        }
        self.close().await;
        for answer in closing {
            let _ = answer.send(());
        }
    }

    /// Runs `jobs` in one transaction and answers them.
    async fn commit(&mut self, jobs: Vec<Box<dyn Job>>) {
        if let Err(error) = self.begin().await {
            for job in jobs {
                job.refuse(&error);
            }
            return;
        }
        let mut answers = Vec::with_capacity(jobs.len());
        let mut broken = None;
        for job in jobs {
            if let Some(error) = &broken {
                job.refuse(error);
                continue;
            }
            let ran = self.run(job).await;
            answers.push(ran.answer);
            if let Failure::Engine(error) = ran.failure {
                broken = Some(error);
            }
        }
        let committed = match broken {
            None => self.execute("COMMIT").await,
            Some(error) => Err(error),
        };
        if committed.is_err() {
            // A full disk or an I/O error may have rolled back already.
            let _ = self.execute("ROLLBACK").await;
        }
        for answer in answers {
            answer(committed.as_ref().copied());
        }
    }

    /// Opens a transaction, on a new connection if the old one is beyond use.
    async fn begin(&mut self) -> StoreResult<()> {
        if std::mem::take(&mut self.begun) {
            return Ok(());
        }
        let Err(error) = self.execute("BEGIN").await else { return Ok(()) };
        tracing::warn!(error = %share(&error), "the writing connection failed, opening another");
        self.connection = self.options.connect().await.stored()?;
        self.execute("BEGIN").await
    }

    /// Runs one job; what it has to undo when it refuses is undone.
    async fn run(&mut self, job: Box<dyn Job>) -> Ran {
        if job.undo() == Undo::Nothing {
            return job.run(&mut self.connection).await;
        }
        if let Err(error) = self.execute("SAVEPOINT job").await {
            let failure = Failure::Engine(share(&error));
            return Ran { failure, answer: Box::new(move |_| job.refuse(&error)) };
        }
        let mut ran = job.run(&mut self.connection).await;
        let left = match ran.failure {
            Failure::None => self.execute("RELEASE job").await,
            Failure::Job => self.take_back().await,
            Failure::Engine(_) => Ok(()),
        };
        if let Err(error) = left {
            ran.failure = Failure::Engine(error);
        }
        ran
    }

    async fn take_back(&mut self) -> StoreResult<()> {
        self.execute("ROLLBACK TO job").await?;
        self.execute("RELEASE job").await
    }

    async fn execute(&mut self, sql: &'static str) -> StoreResult<()> {
        sqlx::query(sql).execute(&mut self.connection).await.map(|_| ()).stored()
    }

    async fn close(mut self) {
        if self.begun {
            let _ = self.execute("ROLLBACK").await;
        }
        let _ = self.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
        if let Err(error) = sqlx::Connection::close(self.connection).await {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }
}
