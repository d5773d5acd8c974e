//! The class `ObjectStore`: a store of obstore's, rebuilt from its constructor's arguments.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyzarr_core::batched::{self, Objects};
use anyzarr_core::objects::{Clients, Config, ObjectStorage, Retry, Service};
use anyzarr_core::write::Options;
use anyzarr_core::{Error, Kind, Result, pool};
use pyo3::prelude::*;

use crate::buffer::Buffer;
use crate::error::to_python;
use crate::plan::Plan;
use crate::selection::{Asked, Selection};

/// An object store that the core reads and writes by itself, in this and in forked processes.
///
/// Parameters
/// ----------
/// service
///     ``"s3"``, ``"gcs"``, ``"azure"`` or ``"http"``.
/// url
///     Of ``"http"``, the address; else empty.
/// settings
///     The service's settings, which add to the environment's.
/// client
///     The HTTP client's settings, or None.
/// headers
///     Sent with each request.
/// certificates
///     PEM of certificates to trust, too.
/// retry
///     ``(max_retries, timeout, first_wait, longest_wait, growth)``, times in seconds, or None.
///
/// Raises ``NativeError`` where no client can be made of these; nothing is asked of the service.
#[pyclass(frozen, module = "anyzarr_native")]
pub struct ObjectStore {
    config: Arc<Config>,
}

type Waits = (usize, f64, f64, f64, f64);

#[pymethods]
impl ObjectStore {
    #[new]
    #[pyo3(signature = (service, url, settings, client, headers, certificates, retry))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        service: &str,
        url: String,
        settings: BTreeMap<String, String>,
        client: Option<BTreeMap<String, String>>,
        headers: BTreeMap<String, Vec<u8>>,
        certificates: Vec<u8>,
        retry: Option<Waits>,
    ) -> PyResult<Self> {
        let make = || {
            let config = Arc::new(Config {
                service: service_of(service)?,
                url,
                settings: settings.into_iter().collect(),
                client: client.map(|client| client.into_iter().collect()),
                headers: headers.into_iter().collect(),
                certificates,
                retry: retry.map(retry_of).transpose()?,
                environment: Config::environment(),
            });
            Clients::get(&config)?;
            Ok(Self { config })
        };
        pool::guarded(make).map_err(|error| to_python(&error))
    }

    /// Read a selection of the array below `prefix` into a writable buffer of its shape; at most
    /// `width` requests are under way at once.
    #[pyo3(signature = (width, plan, prefix, start, stop, step, out, threads, points=None))]
    #[allow(clippy::too_many_arguments)]
    fn read(
        &self,
        py: Python<'_>,
        width: usize,
        plan: &Bound<'_, Plan>,
        prefix: &str,
        start: Vec<usize>,
        stop: Vec<usize>,
        step: Vec<usize>,
        out: &Bound<'_, PyAny>,
        threads: usize,
        points: Option<Vec<Asked<'_>>>,
    ) -> PyResult<()> {
        let plan = plan.get().plan()?;
        let buffer = Buffer::new(out, true)?;
        let selection = Selection::new(start, stop, step, points)?;
        let signals = Signals::default();
        let check = || signals.check();
        py.detach(|| {
            let storage = ObjectStorage::new(&self.config, width, &check)?;
            let objects = Objects { storage: &storage, prefix };
            selection.with(plan, &buffer, |region, view| {
                // SAFETY: the buffer is held, writable, and of the selection's shape.
                #[allow(unsafe_code)]
                unsafe {
                    batched::read(plan, &objects, region, view, threads)
                }
            })
        })
        .map_err(|error| signals.explain(&error))
    }

    /// Write a buffer to a selection of the array below `prefix`.
    #[pyo3(signature = (width, plan, prefix, start, stop, step, value, threads, keep_empty=false, points=None))]
    #[allow(clippy::too_many_arguments)]
    fn write(
        &self,
        py: Python<'_>,
        width: usize,
        plan: &Bound<'_, Plan>,
        prefix: &str,
        start: Vec<usize>,
        stop: Vec<usize>,
        step: Vec<usize>,
        value: &Bound<'_, PyAny>,
        threads: usize,
        keep_empty: bool,
        points: Option<Vec<Asked<'_>>>,
    ) -> PyResult<()> {
        let plan = plan.get().plan()?;
        let buffer = Buffer::new(value, false)?;
        let selection = Selection::new(start, stop, step, points)?;
        let signals = Signals::default();
        let check = || signals.check();
        py.detach(|| {
            let storage = ObjectStorage::new(&self.config, width, &check)?;
            let objects = Objects { storage: &storage, prefix };
            let options = Options { threads, keep_empty };
            selection.with(plan, &buffer, |region, view| {
                // SAFETY: the buffer is held and of the selection's shape.
                #[allow(unsafe_code)]
                unsafe {
                    batched::write(plan, &objects, region, view, options)
                }
            })
        })
        .map_err(|error| signals.explain(&error))
    }
}

fn service_of(name: &str) -> Result<Service> {
    match name {
        "s3" => Ok(Service::S3),
        "gcs" => Ok(Service::Gcs),
        "azure" => Ok(Service::Azure),
        "http" => Ok(Service::Http),
        _ => Err(Error::unsupported(format!("there is no service {name:?}"))),
    }
}

fn retry_of((most, timeout, first, longest, growth): Waits) -> Result<Retry> {
    let seconds = |value: f64| {
        Duration::try_from_secs_f64(value)
            .map_err(|error| Error::invalid(format!("a wait of {value} seconds: {error}")))
    };
    Ok(Retry {
        most,
        timeout: seconds(timeout)?,
        first: seconds(first)?,
        longest: seconds(longest)?,
        // A float's cast saturates, and makes nothing of NaN.
        growth_thousandths: (growth * 1000.0) as u64,
    })
}

/// What Python's signal handlers raise while the interpreter is released.
#[derive(Default)]
struct Signals(Mutex<Option<PyErr>>);

impl Signals {
    fn check(&self) -> Result<()> {
        Python::attach(|py| py.check_signals()).map_err(|raised| {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(raised);
            Error::new(Kind::Storage, "it was interrupted")
        })
    }

    fn explain(&self, error: &Error) -> PyErr {
        let raised = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        raised.unwrap_or_else(|| to_python(error))
    }
}
