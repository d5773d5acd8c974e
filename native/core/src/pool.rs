//! A few threads that help the caller: it takes part, and nothing waits for a busy pool.
//!
//! Threads start with the first work that needs them, never at import. After a fork the child
//! makes its own: what the parent's threads held is left alone.
#![allow(unsafe_code)] // the lifetime of the work is erased; `Job` says why that is sound

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::arena::Arena;
use crate::error::{Error, Kind, Result};
use crate::index_cache::IndexCache;
#[cfg(feature = "objects")]
use crate::objects::Clients;
use crate::storage::Version;

/// The most threads that work on one call.
pub const MAX_THREADS: usize = 64;

type Work<'a> = dyn Fn(&mut Arena, usize) -> Result<()> + Sync + 'a;

/// What belongs to this process and not to a child it forks.
pub struct Process {
    id: u32,
    queue: Mutex<VecDeque<Arc<Job>>>,
    wake: Condvar,
    workers: AtomicUsize,
    arenas: Mutex<Vec<Arena>>,
    /// Shard indices read before, of files.
    pub indices: IndexCache,
    /// The same, of objects.
    pub versions: IndexCache<Version>,
    /// Clients of object stores, and the runtime that they work on.
    #[cfg(feature = "objects")]
    pub(crate) objects: Clients,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static CURRENT: AtomicPtr<Process> = AtomicPtr::new(std::ptr::null_mut());

/// The state of this process.
#[must_use]
pub fn process() -> &'static Process {
    let id = std::process::id();
    let current = CURRENT.load(Ordering::Acquire);
    // SAFETY: what `CURRENT` ever pointed to is leaked, hence lives for ever.
    if let Some(found) = unsafe { current.as_ref() }.filter(|found| found.id == id) {
        return found;
    }
    let made = Box::into_raw(Box::new(Process::new(id)));
    match CURRENT.compare_exchange(current, made, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: just leaked.
        Ok(_) => unsafe { &*made },
        Err(other) => {
            // SAFETY: `made` was never shared.
            drop(unsafe { Box::from_raw(made) });
            // SAFETY: leaked by another thread of this process, which won.
            unsafe { &*other }
        }
    }
}

impl Process {
    fn new(id: u32) -> Self {
        Self {
            id,
            queue: Mutex::default(),
            wake: Condvar::new(),
            workers: AtomicUsize::new(0),
            arenas: Mutex::default(),
            indices: IndexCache::default(),
            versions: IndexCache::default(),
            #[cfg(feature = "objects")]
            objects: Clients::default(),
        }
    }

    fn arena(&self) -> Arena {
        lock(&self.arenas).pop().unwrap_or_default()
    }

    fn give_back(&self, mut arena: Arena) {
        arena.trim();
        let mut free = lock(&self.arenas);
        if free.len() < MAX_THREADS {
            free.push(arena);
        }
    }

    fn start_workers(&'static self, wanted: usize) {
        loop {
            let have = self.workers.load(Ordering::Acquire);
            if have >= wanted.min(MAX_THREADS) {
                return;
            }
            if self
                .workers
                .compare_exchange(have, have + 1, Ordering::AcqRel, Ordering::Acquire)
                .is_err()
            {
                continue;
            }
            let name = String::from("anyzarr-native");
            let started = std::thread::Builder::new().name(name).spawn(|| self.serve());
            if started.is_err() {
                // The caller does the work alone.
                self.workers.fetch_sub(1, Ordering::AcqRel);
                return;
            }
        }
    }

    fn serve(&self) {
        loop {
            let mut queue = lock(&self.queue);
            let job = loop {
                if let Some(job) = queue.pop_front() {
                    break job;
                }
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
            };
            drop(queue);
            job.help(self);
        }
    }
}

/// One call of [`run`], shared with the threads that help.
///
/// `work` borrows from the caller's stack. It is used only between `enter` and `leave`; the
/// caller closes the job and waits until nobody is inside before it returns, and nobody can
/// enter a closed job. So the borrow outlives every use.
struct Job {
    work: *const Work<'static>,
    items: usize,
    next: AtomicUsize,
    stop: AtomicBool,
    error: Mutex<Option<(usize, Error)>>,
    inside: Mutex<Inside>,
    left: Condvar,
}

#[derive(Default)]
struct Inside {
    closed: bool,
    helpers: usize,
}

// SAFETY: `work` points to something `Sync`, used as described above; the rest is `Sync`.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

impl Job {
    fn help(&self, process: &Process) {
        {
            let mut inside = lock(&self.inside);
            if inside.closed {
                return;
            }
            inside.helpers += 1;
        }
        let mut arena = process.arena();
        self.drain(&mut arena);
        process.give_back(arena);
        lock(&self.inside).helpers -= 1;
        self.left.notify_one();
    }

    fn drain(&self, arena: &mut Arena) {
        // SAFETY: we are inside, see `Job`.
        let work = unsafe { &*self.work };
        while !self.stop.load(Ordering::Relaxed) {
            let item = self.next.fetch_add(1, Ordering::Relaxed);
            if item >= self.items {
                return;
            }
            if let Err(error) = guarded(|| work(arena, item)) {
                self.stop.store(true, Ordering::Relaxed);
                let mut first = lock(&self.error);
                if first.as_ref().is_none_or(|(number, _)| item < *number) {
                    *first = Some((item, error));
                }
                return;
            }
        }
    }

    fn close(&self) {
        let mut inside = lock(&self.inside);
        inside.closed = true;
        while inside.helpers > 0 {
            inside = self.left.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Call something; a panic in it becomes an error.
///
/// # Errors
/// Its own, or [`Kind::Internal`].
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| String::from("unknown"));
        Err(Error::new(Kind::Internal, format!("a bug in the native engine: {text}")))
    })
}

/// Call `work` for each item below `items`, on up to `threads` threads, the caller's included.
///
/// # Errors
/// The error of the first item that failed; the rest is then not done.
pub fn run<F>(threads: usize, items: usize, work: F) -> Result<()>
where
    F: Fn(&mut Arena, usize) -> Result<()> + Sync,
{
    let process = process();
    let mut arena = process.arena();
    let result = if threads.min(items) <= 1 {
        guarded(|| (0..items).try_for_each(|item| work(&mut arena, item)))
    } else {
        run_together(process, threads.min(items).min(MAX_THREADS), items, &mut arena, &work)
    };
    process.give_back(arena);
    result
}

fn run_together(
    process: &'static Process,
    threads: usize,
    items: usize,
    arena: &mut Arena,
    work: &Work<'_>,
) -> Result<()> {
    // SAFETY: only the lifetime changes; `Job` says why the borrow outlives every use.
    let work = unsafe { std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
    let job = Arc::new(Job {
        work,
        items,
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        error: Mutex::default(),
        inside: Mutex::default(),
        left: Condvar::new(),
    });
    process.start_workers(threads - 1);
    lock(&process.queue).extend((1..threads).map(|_| Arc::clone(&job)));
    for _ in 1..threads {
        process.wake.notify_one();
    }
    job.drain(arena);
    job.close();
    match lock(&job.error).take() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_and_nested_calls_do_not_wait_for_ever() -> Result<()> {
        let done: Vec<_> = (0..100).map(|_| AtomicUsize::new(0)).collect();
        run(4, 10, |_, outer| {
            run(4, 10, |_, inner| {
                done[outer * 10 + inner].fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
        })?;
        assert!(done.iter().all(|n| n.load(Ordering::Relaxed) == 1));
        Ok(())
    }

    #[test]
    fn a_panic_is_an_error() {
        let items = AtomicUsize::new(0);
        let result = run(3, 50, |_, item| {
            items.fetch_add(1, Ordering::Relaxed);
            assert!(item != 7, "seven");
            Ok(())
        });
        assert!(result.is_err_and(|e| e.kind() == Kind::Internal && e.message().contains("seven")));
    }

    #[test]
    fn a_panic_in_a_helper_is_an_error_and_the_helper_goes_on() -> Result<()> {
        let caller = std::thread::current().id();
        let is_helper = || std::thread::current().id() != caller;
        for _ in 0..20 {
            let met = std::sync::Barrier::new(2);
            let result = run(2, 2, |_, _| {
                met.wait(); // one item each
                assert!(!is_helper(), "of a helper");
                Ok(())
            });
            let error = result.err().map(|error| (error.kind(), error.message().to_owned()));
            let (kind, message) = error.unwrap_or((Kind::Invalid, String::new()));
            assert!(kind == Kind::Internal && message.contains("of a helper"), "{message}");
            // Both take part again.
            run(2, 2, |_, _| {
                met.wait();
                Ok(())
            })?;
        }
        Ok(())
    }
}
