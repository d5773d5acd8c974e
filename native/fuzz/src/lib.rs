//! Fuzz targets: what reads stored bytes or a document, fed with anything.
//!
//! A target is a function of some bytes that panics where something is wrong. The first bytes
//! choose (see [`input`]), the others are the data. With the feature `libfuzzer` coverage guides
//! the mutations; without it [`driver`] makes them, from the same seeds. `make fuzz` runs all.

#[path = "../../core/tests/common/mod.rs"]
pub mod common;

pub mod archive;
pub mod blosc;
pub mod chunk;
pub mod codecs;
#[cfg(not(feature = "libfuzzer"))]
pub mod driver;
pub mod index;
pub mod input;
pub mod plan;
mod selected;
mod stores;
pub mod vlen;

#[cfg(feature = "libfuzzer")]
pub use libfuzzer_sys;

use anyzarr_core::{Error, Kind};

/// Make the program of a target.
#[macro_export]
macro_rules! target {
    ($target:path) => {
        #[cfg(feature = "libfuzzer")]
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $target(data));

        #[cfg(not(feature = "libfuzzer"))]
        fn main() -> std::process::ExitCode {
            $crate::driver::main($target)
        }
    };
}

/// The error of stored bytes that are wrong: of the right kind, and never a bug of ours.
fn check_error(error: &Error) {
    let known = matches!(error.kind(), Kind::Corrupt | Kind::Unsupported);
    assert!(known, "an error of kind {}: {error}", error.kind().name());
}

#[cfg(feature = "libfuzzer")]
mod hooks;
