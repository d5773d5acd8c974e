//! The runtime and the clients of this process.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use object_store::ObjectStore;
use tokio::runtime::{Builder, Runtime};

use super::config::{Config, Service};
use crate::error::{Error, Kind, Result};
use crate::pool;

/// The most clients that are kept; each keeps connections open.
const MAX_CLIENTS: usize = 32;

/// The most threads that move bytes; they do no decoding.
const MAX_THREADS: usize = 4;

/// Clients by what they were made from, the one used last first.
#[derive(Default)]
pub struct Clients {
    kept: Mutex<VecDeque<(Arc<Config>, Arc<Client>)>>,
    runtime: OnceLock<std::result::Result<Runtime, String>>,
}

/// A client and what was learned of its service.
pub struct Client {
    pub store: Arc<dyn ObjectStore>,
    pub service: Service,
    /// How often a request whose answer was cut off is made again.
    pub retries: usize,
    /// About how long to wait before that.
    pub pause: Duration,
    /// Names the store in this process.
    pub id: u64,
    /// Whether it has been found to know no ranges.
    pub is_without_ranges: AtomicBool,
}

impl Clients {
    /// The client of a configuration, made if need be.
    ///
    /// # Errors
    /// See [`Config::build`].
    pub fn get(config: &Arc<Config>) -> Result<Arc<Client>> {
        let clients = &pool::process().objects;
        let mut kept = clients.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(have, _)| Arc::ptr_eq(have, config) || have == config);
        if let Some(found) = known.and_then(|number| kept.remove(number)) {
            let client = Arc::clone(&found.1);
            kept.push_front(found);
            return Ok(client);
        }
        let client = Arc::new(Client {
            store: config.build()?,
            service: config.service,
            retries: config.retries(),
            pause: config.pause(),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            is_without_ranges: AtomicBool::new(false),
        });
        kept.push_front((Arc::clone(config), Arc::clone(&client)));
        kept.truncate(MAX_CLIENTS);
        Ok(client)
    }

    /// The runtime of this process, started if need be.
    pub fn runtime() -> Result<&'static Runtime> {
        let runtime = pool::process().objects.runtime.get_or_init(|| {
            let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            Builder::new_multi_thread()
                .worker_threads(threads.min(MAX_THREADS))
                .thread_name("anyzarr-native-io")
                .enable_all()
                .build()
                .map_err(|error| error.to_string())
        });
        runtime.as_ref().map_err(|error| {
            Error::new(Kind::Storage, format!("the threads for requests do not start: {error}"))
        })
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);
