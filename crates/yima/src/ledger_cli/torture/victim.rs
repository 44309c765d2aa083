//! The engine that is killed, in a process of its own: takes requests from standard input, asks the engine
//! in their order, and answers on standard output as soon as the engine has.

use std::io::stdin;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use kernel::SystemClock;
use ledger::{BATCH_MAX, BoxFuture, Embedded, Engine, EngineError, Options, QueryFilter};
use tokio::sync::mpsc;

use super::wire::{self, Message};
use crate::config::Fail;

/// Which ledger.
#[derive(clap::Args)]
pub struct VictimOptions {
    /// Its directory.
    #[arg(long)]
    dir: PathBuf,
    /// Bytes of a journal file.
    #[arg(long)]
    file_bytes: u64,
}

/// Small files, few to a merge, snapshots every few files: whatever the engine does in the background it does
/// often.
pub fn settings(file_bytes: u64) -> Options {
    Options { file_bytes, merge: 3, snapshot_bytes: 4 * file_bytes }
}

/// Serves until it is told to close, its standard input ends, or it is killed.
pub async fn victim(options: &VictimOptions) -> Result<(), Fail> {
    let settings = settings(options.file_bytes);
    let (engine, recovery) = Embedded::open_with(&options.dir, Arc::new(SystemClock), settings)?;
    // Requests outlive the loop that takes them; the process ends with the engine.
    let engine: &'static Embedded = Box::leak(Box::new(engine));
    let out = Arc::new(Mutex::new(std::io::stdout()));
    let answer = move |number, message: &Message| {
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = wire::write(&mut *out, number, message); // nobody listens any more: standard input ends too
    };
    let torn_bytes = recovery.torn.map_or(0, |torn| torn.bytes);
    answer(0, &Message::Open { frames: recovery.frames, torn_bytes });

    let (queue, mut requests) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut input = stdin().lock();
        while let Ok(Some(request)) = wire::read(&mut input) {
            if queue.send(request).is_err() {
                return;
            }
        }
    });
    while let Some((number, request)) = requests.recv().await {
        if request == Message::Close {
            break;
        }
        let result = ask(engine, request);
        let answer = answer.clone();
        tokio::spawn(async move {
            let message = result.await.unwrap_or_else(|e| Message::Failed(e.code().to_owned()));
            answer(number, &message);
        });
    }
    tokio::task::spawn_blocking(|| engine.close()).await?;
    Ok(())
}

/// Puts the question at once; what comes back is waited for.
fn ask(engine: &'static Embedded, request: Message) -> BoxFuture<'static, Result<Message, EngineError>> {
    match request {
        Message::CreateAccounts(events) => {
            let result = engine.create_accounts(events);
            Box::pin(async move { result.await.map(Message::CreatedAccounts) })
        }
        Message::CreateTransfers(events) => {
            let result = engine.create_transfers(events);
            Box::pin(async move { result.await.map(Message::CreatedTransfers) })
        }
        Message::Feed(after, limit) => {
            let result = engine.feed(after, limit);
            Box::pin(async move {
                let items = result.await?;
                Ok(Message::Transfers(items.into_iter().map(|item| item.transfer).collect()))
            })
        }
        Message::QueryAccounts(timestamp_min) => {
            let limit = u32::try_from(BATCH_MAX).unwrap_or(1);
            let result =
                engine.query_accounts(QueryFilter { timestamp_min, limit, ..QueryFilter::default() });
            Box::pin(async move { result.await.map(Message::Accounts) })
        }
        other => {
            let what = format!("{other:?} is no question");
            Box::pin(async move { Ok(Message::Failed(what)) })
        }
    }
}
