//! The one SQLite writer: writes that wait at the same moment run in one transaction, each inside
//! its own savepoint, and share one commit. A write that fails is rolled back alone.
//!
//! Must never answer a write before the commit that holds it has returned.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

use sqlx::{AnyPool, AssertSqlSafe};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::{Conn, StoreError};

/// A boxed future that may be sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The body of a write: `|conn| Box::pin(async move { … })`.
pub trait WriteFn<T, E>:
    for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static
{
}
impl<T, E, F> WriteFn<T, E> for F where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, E>> + Send + 'static
{
}

/// How many writes share one commit at most: bounds how long the first of them waits.
const GROUP_MAX: usize = 256;

/// A queued write, its types erased: run it, learn whether it wants to stay, then answer its caller.
trait Job: Send {
    fn run<'c>(&'c mut self, conn: &'c mut Conn) -> BoxFuture<'c, bool>;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Write<T, E, F> {
    body: Option<F>,
    outcome: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Write<T, E, F>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: WriteFn<T, E>,
{
    fn run<'c>(&'c mut self, conn: &'c mut Conn) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            if let Some(body) = self.body.take() {
                self.outcome = Some(body(conn).await);
            }
            matches!(self.outcome, Some(Ok(_)))
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = match (self.outcome, committed) {
            (Some(Err(refused)), _) => Err(refused),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(lost)) => Err(lost.into()),
            (None, Ok(())) => Err(StoreError::Closed.into()),
        };
        let _ = self.caller.send(outcome); // the caller may have gone away
    }
}

#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(crate) fn start(pool: AnyPool) -> Writer {
        let (queue, waiting) = mpsc::channel(GROUP_MAX * 4);
        let task = tokio::spawn(run(pool, waiting));
        Writer { queue: Mutex::new(Some(queue)), task: Mutex::new(Some(task)) }
    }

    pub(crate) async fn write<T, E, F>(&self, body: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: WriteFn<T, E>,
    {
        let queue = self.queue.lock().expect("no panic while held").clone();
        let queue = queue.ok_or(StoreError::Closed)?;
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Write { body: Some(body), outcome: None, caller });
        queue.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(crate) async fn close(&self) {
        self.queue.lock().expect("no panic while held").take();
        let task = self.task.lock().expect("no panic while held").take();
        if let Some(task) = task {
            let _ = task.await; // a panic inside a write was answered as Closed already
        }
    }
}

async fn run(pool: AnyPool, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while waiting.recv_many(&mut group, GROUP_MAX).await > 0 {
        let committed = commit(&pool, &mut group).await;
        if let Err(why) = &committed {
            tracing::error!(%why, writes = group.len(), "group commit failed");
        }
        for job in group.drain(..) {
            job.answer(committed.clone());
        }
    }
    pool.close().await;
}

/// Runs the group in one transaction. An error means that nothing of the group was kept, or, where
/// it is `Lost`, that the final commit itself did not answer.
async fn commit(pool: &AnyPool, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    let mut conn = pool.acquire().await?;
    let end = match run_all(&mut conn, group).await {
        Ok(last) => format!("{last}; COMMIT"),
        Err(why) => {
            let rolled_back = sqlx::raw_sql("ROLLBACK").execute(&mut *conn).await;
            if rolled_back.is_err() {
                // A connection left inside a transaction must not be used again.
                let _ = conn.close().await;
            }
            return Err(why);
        }
    };
    let ended = sqlx::raw_sql(AssertSqlSafe(end)).execute(&mut *conn).await;
    if ended.is_err() {
        let _ = conn.close().await; // as above
    }
    ended.map(|_| ()).map_err(|e| StoreError::Lost(e.to_string()))
}

/// Runs each write in its own savepoint; answers with how the last one ends. Every statement is a trip to
/// the connection's thread and back, so what ends one write travels with what begins the next.
async fn run_all(conn: &mut Conn, group: &mut [Box<dyn Job>]) -> Result<&'static str, StoreError> {
    // IMMEDIATE takes the write lock now: no "database is locked" halfway through.
    let mut between = "BEGIN IMMEDIATE; SAVEPOINT one";
    let mut end = "";
    for job in group {
        sqlx::raw_sql(between).execute(&mut *conn).await?;
        (between, end) = if job.run(conn).await {
            ("RELEASE one; SAVEPOINT one", "RELEASE one")
        } else {
            ("ROLLBACK TO one; RELEASE one; SAVEPOINT one", "ROLLBACK TO one; RELEASE one")
        };
    }
    Ok(end)
}
