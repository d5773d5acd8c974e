//! What a metadata document means for its chunks, compiled once.
//!
//! Everything a read or a write needs is worked out and checked here, sizes included, so that
//! the executors only compute with numbers that are known to fit.

mod cells;
mod chain;
mod codecs;
mod dtype;
mod json;

use std::sync::Arc;

use serde_json::Value;

pub(crate) use cells::Axis;
use cells::Shapes;
pub use cells::{Cells, OneChain};

use crate::codec::BytesCodec;
use crate::codec::delta::Delta;
use crate::dims::{Dims, product};
use crate::error::{Error, Kind, Result};
use crate::grid::Region;
use crate::heap::{Heap, Held};
use crate::memory::{Item, View};
use crate::shard::IndexLayout;

/// One array's chunks.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Elements per dimension.
    pub shape: Dims,
    /// Chunks per dimension.
    pub grid: Dims,
    /// Bytes of an element in memory; of one of variable length, of its [`Ref`].
    pub itemsize: usize,
    /// About how many bytes an element has.
    pub cost: usize,
    /// The fill value, as it lies in the caller's memory.
    pub fill: Vec<u8>,
    /// How chunks divide the array.
    pub cells: Cells,
    /// The codecs of a chunk, and its shape; where chunks differ in shape, of one that has the
    /// largest edges.
    pub chain: Chain,
    shapes: Option<Arc<Shapes>>,
    keys: Keys,
    /// The fill value of elements of variable length.
    variable: Option<Arc<[u8]>>,
    heap: Option<Arc<Heap>>,
}

/// The names of chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Keys {
    prefixed: bool,
    separator: char,
}

/// The codecs of one chunk shape.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Shape of the decoded chunk.
    pub shape: Dims,
    /// Axis `d` as stored is axis `order[d]` of the decoded chunk; None: the same axes.
    pub order: Option<Dims>,
    /// Shape as stored.
    pub stored_shape: Dims,
    /// Strides of the decoded bytes as stored.
    pub stored_strides: Dims<isize>,
    /// Bytes of the decoded chunk in memory.
    pub bytes: usize,
    /// About how many bytes it decodes to.
    pub cost: usize,
    /// How elements become bytes.
    pub body: Body,
    /// Bytes-to-bytes codecs, in the order of encoding.
    pub codecs: Vec<BytesCodec>,
    /// The most bytes a chunk encodes to, before each codec and after the last; not told of
    /// elements of variable length.
    pub bounds: Vec<usize>,
}

/// The array-to-bytes codec.
#[derive(Clone, Debug)]
pub enum Body {
    /// Elements one after the other.
    Plain(Plain),
    /// Elements of variable length, each with its size.
    Variable(Variable),
    /// Subchunks with an index.
    Shard(Box<Shard>),
}

/// Elements one after the other, in C order of the stored axes.
#[derive(Clone, Debug)]
pub struct Plain {
    /// Size, and what to swap between file and memory.
    pub item: Item,
    /// The fill value as it lies in the file.
    pub fill: Vec<u8>,
    /// Differences instead of values.
    pub delta: Option<Delta>,
}

/// Elements of variable length, in C order of the stored axes.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Their references, as they are cut and scattered.
    pub plain: Plain,
    /// Whether they are UTF-8.
    pub is_text: bool,
}

/// Subchunks with an index.
#[derive(Clone, Debug)]
pub struct Shard {
    /// Subchunks per (stored) dimension.
    pub counts: Dims,
    /// The index.
    pub index: IndexLayout,
    /// The codecs of a subchunk.
    pub inner: Chain,
}

impl Plan {
    /// Compile a v3 document.
    ///
    /// # Parameters
    /// - `document`: JSON of a v3 array; v2 arrays come as their v3 equivalent.
    /// - `fill`: the fill value as it lies in memory; its length is the size of an element, unless
    ///   that is not fixed.
    /// - `memory_is_big_endian`: byte order of arrays in memory.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](crate::Kind::Unsupported) with the reason for what is not covered,
    /// [`Kind::Invalid`](crate::Kind::Invalid) for what is no array document.
    pub fn compile(document: &str, fill: &[u8], memory_is_big_endian: bool) -> Result<Self> {
        let document: Value = serde_json::from_str(document)
            .map_err(|error| Error::invalid(format!("the document is no JSON: {error}")))?;
        let shape = json::dims(document.get("shape"), "shape", 0)?;
        let cells = Cells::parse(&document, &shape)?;
        if document
            .get("storage_transformers")
            .and_then(Value::as_array)
            .is_some_and(|t| !t.is_empty())
        {
            return Err(Error::unsupported("storage transformers are not covered"));
        }
        let element = dtype::element(&document, fill, memory_is_big_endian)?;
        let grid = cells.counts(&shape);
        if product(&shape).and_then(|n| n.checked_mul(element.size)).is_none()
            || product(&grid).is_none()
        {
            return Err(Error::unsupported("the array has more bytes than this machine can count"));
        }
        let codecs = json::list(document.get("codecs"), "codecs")?;
        Ok(Self {
            shape,
            grid,
            itemsize: element.size,
            cost: element.cost,
            fill: element.fill.clone(),
            variable: element.is_variable().then(|| fill.into()),
            heap: None,
            chain: chain::compile(codecs, cells.largest(), &element, 0)?,
            shapes: Shapes::new(&cells, codecs, &element)?.map(Arc::new),
            cells,
            keys: keys(&document)?,
        })
    }

    /// Whether elements have no fixed size: reads and writes need [`Plan::with_heap`] then.
    #[must_use]
    pub fn is_variable(&self) -> bool {
        self.variable.is_some()
    }

    /// The plan with memory for the elements of one read or write.
    #[must_use]
    pub fn with_heap(&self, value: Option<Held>) -> Self {
        let fill = self.variable.as_deref().unwrap_or_default();
        Self { heap: Some(Arc::new(Heap::new(fill, value))), ..self.clone() }
    }

    /// The memory for elements of variable length.
    ///
    /// # Errors
    /// There is none.
    pub fn heap(&self) -> Result<&Heap> {
        self.heap.as_deref().ok_or_else(|| {
            Error::new(Kind::Internal, "there is no memory for elements of variable length")
        })
    }

    /// The codecs of a chunk.
    ///
    /// # Errors
    /// There are none for its shape; the metadata breaks a rule.
    pub fn chain_of(&self, coords: &[usize]) -> Result<OneChain<'_>> {
        let Some(shapes) = &self.shapes else { return Ok(OneChain::Known(&self.chain)) };
        let edge = |d| self.cells.extent(d, coords[d]).edge;
        shapes.chain(&Dims::from_fn(coords.len(), edge))
    }

    /// Append the key of a chunk, relative to the array.
    pub fn push_key(&self, key: &mut String, coords: &[usize]) {
        use std::fmt::Write as _;
        if self.keys.prefixed {
            key.push('c');
        } else if coords.is_empty() {
            key.push('0');
        }
        for (d, coordinate) in coords.iter().enumerate() {
            if d > 0 || self.keys.prefixed {
                key.push(self.keys.separator);
            }
            // Writing to a string cannot fail.
            let _ = write!(key, "{coordinate}");
        }
    }

    /// The key of a chunk, relative to the array.
    #[must_use]
    pub fn key(&self, coords: &[usize]) -> String {
        let mut key = String::new();
        self.push_key(&mut key, coords);
        key
    }

    /// Check that a region lies within the array.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self, region: &Region<'_>) -> Result<()> {
        let n = self.shape.len();
        if region.start.len() != n || region.count.len() != n || region.step.len() != n {
            return Err(Error::invalid(format!("a selection of {n} dimensions is needed")));
        }
        for d in 0..n {
            let last = region.count[d].checked_sub(1).map_or(Some(0), |k| {
                k.checked_mul(region.step[d]).and_then(|span| span.checked_add(region.start[d]))
            });
            let inside = last.is_some_and(|last| last < self.shape[d]) || region.count[d] == 0;
            if region.step[d] == 0 || !inside {
                return Err(Error::invalid(format!(
                    "the selection leaves the array in dimension {d}"
                )));
            }
        }
        Ok(())
    }
}

impl Chain {
    /// A region and the place for it, in the order of the stored axes.
    #[must_use]
    pub fn stored<'a>(&'a self, region: &Region<'a>, view: &View) -> (Region<'a>, View) {
        match &self.order {
            None => (*region, *view),
            Some(order) => (region.permuted(order), view.permuted(order)),
        }
    }

    /// The shard, if subchunks can be found without decoding more.
    #[must_use]
    pub fn open_shard(&self) -> Option<&Shard> {
        match &self.body {
            Body::Shard(shard) if self.codecs.is_empty() => Some(shard),
            _ => None,
        }
    }

    /// The elements, if they lie in the file as they are.
    #[must_use]
    pub fn raw(&self) -> Option<&Plain> {
        match &self.body {
            Body::Plain(plain) if self.codecs.is_empty() && plain.delta.is_none() => Some(plain),
            _ => None,
        }
    }

    /// First byte, and one past the last, of a region (stored axes, not empty) of the decoded bytes.
    #[must_use]
    pub fn span(&self, region: &Region<'_>) -> (usize, usize) {
        let picked = region.picked.map(|picked| picked.span(&self.stored_strides));
        let (mut first, mut last) = picked.unwrap_or_default();
        for (d, &stride) in self.stored_strides.iter().enumerate() {
            let stride = stride.unsigned_abs();
            first += region.start[d] * stride;
            last += (region.start[d] + (region.count[d].max(1) - 1) * region.step[d]) * stride;
        }
        let item = self.itemsize();
        (first, last + item)
    }

    /// Bytes of an element.
    #[must_use]
    pub fn itemsize(&self) -> usize {
        match &self.body {
            Body::Plain(plain) => plain.item.size,
            Body::Variable(kind) => kind.plain.item.size,
            Body::Shard(shard) => shard.inner.itemsize(),
        }
    }
}

impl Shard {
    /// The number of a subchunk in the index.
    #[must_use]
    pub fn number(&self, coords: &[usize]) -> usize {
        coords.iter().zip(&*self.counts).fold(0, |number, (&c, &n)| number * n + c)
    }
}

fn keys(document: &Value) -> Result<Keys> {
    let (name, configuration) =
        json::named(document.get("chunk_key_encoding"), "chunk_key_encoding")?;
    let prefixed = match name {
        "default" => true,
        "v2" => false,
        _ => {
            return Err(Error::unsupported(format!(
                "the chunk key encoding {name:?} is not covered"
            )));
        }
    };
    let separator = match configuration.get("separator").and_then(Value::as_str) {
        None => {
            if prefixed {
                '/'
            } else {
                '.'
            }
        }
        Some("/") => '/',
        Some(".") => '.',
        Some(other) => {
            return Err(Error::invalid(format!("the separator {other:?} is not / or .")));
        }
    };
    Ok(Keys { prefixed, separator })
}
