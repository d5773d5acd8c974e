//! Requests under way on the runtime, and their answers on the thread that waits.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::config::Config;
use super::get::get;
use super::put::put;
use super::runtime::{Client, Clients};
use crate::error::{Error, Kind, Result};
use crate::storage::{Answer, Costs, Fetch, Request, Storage};

/// How often a waiting thread asks whether it is to go on.
const PATIENCE: Duration = Duration::from_millis(50);

const COSTS: Costs =
    Costs { gap_bytes: 1 << 20, run_bytes: 8 << 20, round_trip_bytes: 1 << 20, least_requests: 4 };

/// Asked now and then by the thread that waits; an error ends the waiting.
pub type Check<'a> = dyn Fn() -> Result<()> + Sync + 'a;

/// An object store, for one call.
pub struct ObjectStorage<'a> {
    client: Arc<Client>,
    runtime: &'static Runtime,
    width: usize,
    check: &'a Check<'a>,
}

impl<'a> ObjectStorage<'a> {
    /// At most `width` requests are under way at once.
    ///
    /// # Errors
    /// The configuration makes no client; threads do not start.
    pub fn new(config: &Arc<Config>, width: usize, check: &'a Check<'a>) -> Result<Self> {
        let runtime = Clients::runtime()?;
        let _guard = runtime.enter();
        Ok(Self { client: Clients::get(config)?, runtime, width: width.max(1), check })
    }

    fn conversation<T>(&self) -> Conversation<'_, T> {
        let (sender, receiver) = channel();
        Conversation {
            storage: self,
            gate: Arc::new(Semaphore::new(self.width)),
            tasks: JoinSet::new(),
            sender,
            receiver,
            left: 0,
            checked: Instant::now(),
        }
    }
}

impl Storage for ObjectStorage<'_> {
    type Blob = Bytes;

    fn costs(&self) -> Costs {
        COSTS
    }

    fn identity(&self) -> Option<u64> {
        Some(self.client.id)
    }

    fn fetch(&self) -> Box<dyn Fetch<Bytes> + '_> {
        Box::new(self.conversation())
    }

    fn put_many(&self, objects: Vec<(String, Option<Vec<u8>>)>) -> Result<()> {
        let mut puts = self.conversation();
        for (key, data) in objects {
            let client = Arc::clone(&self.client);
            puts.start(async move { put(&client, &key, data.map(Bytes::from)).await });
        }
        loop {
            let done = puts.wait()?;
            if done.is_empty() {
                return Ok(());
            }
            done.into_iter().collect::<Result<()>>()?;
        }
    }
}

/// Tasks that send what they give; dropping it ends them.
struct Conversation<'a, T> {
    storage: &'a ObjectStorage<'a>,
    gate: Arc<Semaphore>,
    tasks: JoinSet<()>,
    sender: Sender<T>,
    receiver: Receiver<T>,
    left: usize,
    checked: Instant,
}

impl<T: Send + 'static> Conversation<'_, T> {
    fn start(&mut self, work: impl Future<Output = T> + Send + 'static) {
        let (gate, sender) = (Arc::clone(&self.gate), self.sender.clone());
        let task = async move {
            // The gate is never closed.
            let _permit = gate.acquire_owned().await;
            // Nobody listens any more if it fails.
            let _ = sender.send(work.await);
        };
        self.tasks.spawn_on(task, self.storage.runtime.handle());
        self.left += 1;
    }

    fn wait(&mut self) -> Result<Vec<T>> {
        let mut given = Vec::new();
        while self.left > 0 && given.is_empty() {
            if self.checked.elapsed() >= PATIENCE {
                self.checked = Instant::now();
                (self.storage.check)()?;
            }
            match self.receiver.recv_timeout(PATIENCE) {
                Ok(first) => given.push(first),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            given.extend(self.receiver.try_iter());
            self.left -= given.len();
            while let Some(ended) = self.tasks.try_join_next() {
                ended.map_err(|error| {
                    Error::new(Kind::Internal, format!("a bug in the native engine: {error}"))
                })?;
            }
        }
        Ok(given)
    }
}

impl Fetch<Bytes> for Conversation<'_, Answer<Bytes>> {
    fn ask(&mut self, requests: Vec<Request>) {
        for Request { token, key, range } in requests {
            let client = Arc::clone(&self.storage.client);
            self.start(async move { (token, get(&client, &key, range).await) });
        }
    }

    fn wait(&mut self) -> Result<Vec<Answer<Bytes>>> {
        Conversation::wait(self)
    }
}
