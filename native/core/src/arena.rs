//! What a thread keeps between chunks: codec contexts and scratch memory.

use crate::buffer::{Buffer, Output};
use crate::codec::Contexts;
use crate::grid::Pieces;
use crate::runs::Runs;
use crate::shard::Entry;

/// Scratch memory that is kept for the next read; what is larger is given back.
const KEEP_BYTES: usize = 1 << 20;
const KEEP_OUTPUT_BYTES: usize = 4 << 20;
const KEEP_BUFFERS: usize = 8;

/// Everything a thread needs to decode and encode, made once and used for every chunk.
#[derive(Default)]
pub struct Arena {
    /// Codec contexts.
    pub contexts: Contexts,
    /// Encoded bytes of the chunk that is being written.
    pub output: Output,
    /// Where the picked elements of a chunk are.
    pub runs: Runs,
    buffers: Vec<Buffer>,
    indices: Vec<Vec<Entry>>,
    pieces: Vec<Pieces>,
}

impl Arena {
    /// Take a scratch buffer; give it back with [`Arena::give`].
    pub fn take(&mut self) -> Buffer {
        self.buffers.pop().unwrap_or_default()
    }

    /// Give a scratch buffer back.
    pub fn give(&mut self, buffer: Buffer) {
        self.buffers.push(buffer);
    }

    /// Take memory for a shard index.
    pub fn take_index(&mut self) -> Vec<Entry> {
        self.indices.pop().unwrap_or_default()
    }

    /// Give the memory of a shard index back.
    pub fn give_index(&mut self, index: Vec<Entry>) {
        self.indices.push(index);
    }

    /// Take memory for the pieces of a region.
    pub fn take_pieces(&mut self) -> Pieces {
        self.pieces.pop().unwrap_or_default()
    }

    /// Give the memory of the pieces back.
    pub fn give_pieces(&mut self, mut pieces: Pieces) {
        pieces.clear();
        self.pieces.push(pieces);
    }

    /// Free what is too large to keep between reads.
    pub fn trim(&mut self) {
        self.buffers.retain(|buffer| buffer.capacity() <= KEEP_BYTES);
        self.buffers.truncate(KEEP_BUFFERS);
        self.indices.retain(|index| index.capacity() <= KEEP_BYTES / size_of::<Entry>());
        self.indices.truncate(KEEP_BUFFERS);
        self.pieces.truncate(KEEP_BUFFERS);
        self.runs.trim(KEEP_BYTES);
        self.contexts.trim();
        if self.output.capacity() > KEEP_OUTPUT_BYTES {
            self.output = Output::default();
        }
    }
}
