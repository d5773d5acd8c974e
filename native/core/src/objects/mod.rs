//! Object stores: S3, GCS, Azure, and files over HTTP.
//!
//! Requests run on one small runtime per process, which starts with the first of them; a forked
//! child makes its own, with clients of its own. Answers are decoded elsewhere, by the threads
//! that wait for them.

mod config;
mod fetch;
mod get;
mod put;
mod runtime;

pub use config::{Config, Retry, Service};
pub use fetch::ObjectStorage;
pub use runtime::Clients;
