//! Zarr chunk data at the speed of the hardware.
//!
//! A [`Plan`] is compiled once from a metadata document; the executors in [`read`] and [`write`]
//! then move boxes of elements between stored chunks and memory. What a plan does not cover is
//! [`Kind::Unsupported`], with the reason.
//!
//! Invariants:
//! - no input makes this crate panic, read outside its buffers, or allocate more than the
//!   metadata justifies;
//! - a thread decodes chunk after chunk without allocating, in an [`arena::Arena`];
//! - nothing starts a thread or holds a lock at load time; a forked child starts afresh.

pub mod alike;
pub mod archive;
pub mod arena;
pub mod batched;
pub mod buffer;
pub mod chunk;
pub mod codec;
mod decode;
pub mod dims;
mod encode;
pub mod error;
pub mod grid;
pub mod heap;
pub mod index_cache;
mod local;
pub mod memory;
#[cfg(feature = "objects")]
pub mod objects;
mod picks;
pub mod plan;
pub mod pool;
pub mod pyramid;
pub mod read;
mod runs;
pub mod shard;
mod shard_file;
pub mod source;
pub mod storage;
pub mod tables;
pub mod take;
mod variable;
pub mod write;

pub use dims::Dims;
pub use error::{Error, Kind, Result};
pub use grid::Region;
pub use memory::View;
pub use plan::Plan;
