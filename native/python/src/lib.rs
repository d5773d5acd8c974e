//! `anyzarr_native`: the Python layer over `anyzarr-core`. It has no policy: arguments are
//! converted, the interpreter is released, the core is called, the result is wrapped.

mod alike;
mod archive;
mod buffer;
mod elements;
mod error;
mod objects;
mod plan;
mod pyramid;
mod selection;
mod storage;
mod take;

use pyo3::prelude::pymodule;

/// The native engine of anyzarr; use it through `anyzarr`, engine "native".
#[pymodule(gil_used = false)]
mod anyzarr_native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::alike::write_alike;
    #[pymodule_export]
    use super::archive::Archive;
    #[pymodule_export]
    use super::error::NativeError;
    #[pymodule_export]
    use super::objects::ObjectStore;
    #[pymodule_export]
    use super::plan::Plan;
    #[pymodule_export]
    use super::pyramid::downsample;
    #[pymodule_export]
    use super::take::take_runs;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
