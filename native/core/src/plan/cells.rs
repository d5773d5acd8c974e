//! How an array is divided into chunks, and the codecs of each shape that chunks have.
//!
//! Regular grids have one shape. In rectilinear ones a dimension may have edges of its own; the
//! codecs of a few shapes are compiled with the plan, those of more when they are met.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use serde_json::Value;

use super::dtype::Element;
use super::{Chain, chain, json};
use crate::dims::{Dims, product};
use crate::error::{Error, Result};
use crate::grid::{Division, Extent};

/// Most chunks along one dimension with edges of its own: a few bytes of run lengths must not
/// make us allocate without bound.
const MOST_EDGES: usize = 1 << 22;

/// Most shapes whose codecs are compiled with the plan.
const MOST_SHAPES: usize = 256;

/// How one dimension is divided.
#[derive(Clone, Debug)]
pub(crate) enum Axis {
    /// Into cells of this edge.
    Every(usize),
    /// Where each cell begins, and where the last ends.
    At(Arc<[usize]>),
}

/// How an array is divided into chunks.
#[derive(Clone, Debug)]
pub struct Cells {
    axes: Vec<Axis>,
}

impl Cells {
    /// Read the chunk grid of a document.
    pub(super) fn parse(document: &Value, shape: &Dims) -> Result<Self> {
        let (name, configuration) = json::named(document.get("chunk_grid"), "chunk_grid")?;
        let axes = match name {
            "regular" => {
                let edges = json::dims(configuration.get("chunk_shape"), "chunk_shape", 1)?;
                edges.iter().map(|&edge| Axis::Every(edge)).collect()
            }
            "rectilinear" => {
                if configuration.get("kind").and_then(Value::as_str) != Some("inline") {
                    return Err(Error::invalid(
                        "a rectilinear grid must be of the kind \"inline\"",
                    ));
                }
                let all = json::list(configuration.get("chunk_shapes"), "chunk_shapes")?;
                let axes = all.iter().zip(shape.iter()).map(|(value, &length)| axis(value, length));
                let axes = axes.collect::<Result<Vec<_>>>()?;
                if all.len() == shape.len() { axes } else { Vec::new() }
            }
            _ => return Err(Error::unsupported(format!("{name} chunk grids are not covered"))),
        };
        if axes.len() != shape.len() {
            return Err(Error::invalid("the chunk grid and shape differ in length"));
        }
        Ok(Self { axes })
    }

    /// Number of cells along each dimension of an array of this shape.
    pub(super) fn counts(&self, shape: &Dims) -> Dims {
        Dims::from_fn(self.axes.len(), |d| match &self.axes[d] {
            Axis::Every(edge) => shape[d].div_ceil(*edge),
            Axis::At(bounds) => bounds.len() - 1,
        })
    }

    /// The largest edge of each dimension.
    pub(super) fn largest(&self) -> Dims {
        Dims::from_fn(self.axes.len(), |d| self.edges(d).into_iter().max().unwrap_or(1))
    }

    /// The distinct edges of a dimension, at most one more than [`MOST_SHAPES`].
    fn edges(&self, d: usize) -> Vec<usize> {
        match &self.axes[d] {
            Axis::Every(edge) => vec![*edge],
            Axis::At(bounds) => {
                let mut edges: Vec<_> = bounds.windows(2).map(|pair| pair[1] - pair[0]).collect();
                edges.sort_unstable();
                edges.dedup();
                edges
            }
        }
    }

    /// How a dimension is divided.
    pub(crate) fn axis(&self, d: usize) -> &Axis {
        &self.axes[d]
    }

    /// First element and edge of a cell along a dimension.
    #[must_use]
    pub fn extent(&self, d: usize, cell: usize) -> Extent {
        match &self.axes[d] {
            &Axis::Every(edge) => Extent { cell, start: cell * edge, edge },
            Axis::At(bounds) => {
                let start = bounds[cell];
                Extent { cell, start, edge: bounds[cell + 1] - start }
            }
        }
    }
}

impl Division for Cells {
    fn ndim(&self) -> usize {
        self.axes.len()
    }

    #[inline]
    fn cell(&self, axis: usize, position: usize) -> Extent {
        match &self.axes[axis] {
            &Axis::Every(edge) => Extent::of(edge, position),
            Axis::At(bounds) => {
                self.extent(axis, bounds.partition_point(|&start| start <= position) - 1)
            }
        }
    }
}

/// One dimension of a rectilinear grid: an edge that repeats, or edges and runs of edges.
fn axis(value: &Value, length: usize) -> Result<Axis> {
    let number = |value: &Value| {
        value
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .filter(|&n| n > 0)
            .ok_or_else(|| Error::invalid("chunk_shapes must hold integers of at least 1"))
    };
    if value.is_u64() {
        return Ok(Axis::Every(number(value)?));
    }
    let mut bounds = vec![0usize];
    let mut end = 0usize;
    for run in json::list(Some(value), "chunk_shapes")? {
        let (edge, count) = match run.as_array().map(Vec::as_slice) {
            None => (number(run)?, 1),
            Some([edge, count]) => (number(edge)?, number(count)?),
            Some(_) => {
                return Err(Error::invalid("a run of chunks is a pair of length and count"));
            }
        };
        // Chunks wholly beyond the array are left out.
        let needed = count.min(length.saturating_sub(end).div_ceil(edge));
        if bounds.len() + needed > MOST_EDGES {
            return Err(Error::unsupported(format!(
                "a dimension of more than {MOST_EDGES} chunks of several lengths is not covered"
            )));
        }
        for _ in 0..needed {
            end = end.checked_add(edge).ok_or_else(|| {
                Error::unsupported("chunks reach further than this machine can count")
            })?;
            bounds.push(end);
        }
    }
    if end < length {
        return Err(Error::invalid("the chunks of a dimension do not cover it"));
    }
    Ok(Axis::At(bounds.into()))
}

/// What it takes to compile the codecs of a shape, and those that are compiled.
#[derive(Debug)]
pub(super) struct Shapes {
    codecs: Vec<Value>,
    element: Element,
    made: HashMap<Dims, Chain>,
}

impl Shapes {
    /// Compile the codecs of the chunks' shapes, unless there are too many; None if there is one.
    pub fn new(cells: &Cells, codecs: &[Value], element: &Element) -> Result<Option<Self>> {
        let edges: Vec<_> = (0..cells.ndim()).map(|d| cells.edges(d)).collect();
        let counts: Vec<_> = edges.iter().map(|edges| edges.len().max(1)).collect();
        let total = product(&counts).unwrap_or(usize::MAX);
        if total == 1 {
            return Ok(None);
        }
        let mut made = HashMap::new();
        for number in 0..if total <= MOST_SHAPES { total } else { 0 } {
            let mut rest = number;
            let shape = Dims::from_fn(edges.len(), |d| {
                let edge = edges[d].get(rest % counts[d]).copied().unwrap_or(1);
                rest /= counts[d];
                edge
            });
            made.insert(shape, chain::compile(codecs, shape, element, 0)?);
        }
        Ok(Some(Self { codecs: codecs.to_vec(), element: element.clone(), made }))
    }

    /// The codecs of a shape.
    pub fn chain(&self, shape: &Dims) -> Result<OneChain<'_>> {
        match self.made.get(shape) {
            Some(chain) => Ok(OneChain::Known(chain)),
            None => chain::compile(&self.codecs, *shape, &self.element, 0)
                .map(|chain| OneChain::Made(Box::new(chain))),
        }
    }
}

/// The codecs of one chunk.
pub enum OneChain<'a> {
    /// Compiled with the plan.
    Known(&'a Chain),
    /// Compiled for the chunk.
    Made(Box<Chain>),
}

impl Deref for OneChain<'_> {
    type Target = Chain;

    fn deref(&self) -> &Chain {
        match self {
            Self::Known(chain) => chain,
            Self::Made(chain) => chain,
        }
    }
}
