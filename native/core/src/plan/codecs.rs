//! Configurations of codecs.

use serde_json::{Map, Value};

use super::dtype::Element;
use super::json::integer;
use crate::codec::BytesCodec;
use crate::codec::blosc::{Arrange, Blosc, Inner};
use crate::codec::deflate::{Deflate, Wrapper};
use crate::codec::delta::Delta;
use crate::codec::lz4::Lz4;
use crate::codec::shuffle::Shuffle;
use crate::codec::zstd::Zstd;
use crate::error::{Error, Result};

type Settings = Map<String, Value>;

/// A bytes-to-bytes codec; None if the name is not known.
pub(super) fn bytes_codec(
    name: &str,
    settings: &Settings,
    element: &Element,
) -> Result<Option<BytesCodec>> {
    Ok(Some(match name.strip_prefix("numcodecs.").unwrap_or(name) {
        "zstd" => BytesCodec::Zstd(Zstd {
            level: integer(settings, "level", 0, -131_072..=22)? as i32,
            checksum: settings.get("checksum").and_then(Value::as_bool).unwrap_or(false),
        }),
        "gzip" => deflate(Wrapper::Gzip, settings)?,
        "zlib" => deflate(Wrapper::Zlib, settings)?,
        "lz4" => BytesCodec::Lz4(Lz4 {
            acceleration: integer(settings, "acceleration", 1, i64::from(i32::MIN)..=65_537)?
                as i32,
        }),
        "blosc" => BytesCodec::Blosc(blosc(settings, element)?),
        "crc32c" => match settings.get("location").and_then(Value::as_str) {
            None | Some("end") => BytesCodec::Crc32c,
            Some(_) => {
                return Err(Error::unsupported("a checksum before the bytes is not covered"));
            }
        },
        "shuffle" => BytesCodec::Shuffle(Shuffle {
            element_bytes: integer(settings, "elementsize", 4, 0..=1 << 16)?.max(1) as usize,
        }),
        _ => return Ok(None),
    }))
}

fn deflate(wrapper: Wrapper, settings: &Settings) -> Result<BytesCodec> {
    let level = match integer(settings, "level", 1, -1..=9)? as i32 {
        -1 => 6,
        level => level,
    };
    Ok(BytesCodec::Deflate(Deflate { wrapper, level }))
}

fn blosc(settings: &Settings, element: &Element) -> Result<Blosc> {
    let inner = match settings.get("cname").and_then(Value::as_str).unwrap_or("lz4") {
        "blosclz" => Inner::BloscLz,
        "lz4" => Inner::Lz4,
        "lz4hc" => Inner::Lz4Hc,
        "zlib" => Inner::Zlib,
        "zstd" => Inner::Zstd,
        other => return Err(Error::unsupported(format!("blosc with {other:?} is not covered"))),
    };
    let natural = if element.size < 256 { element.size } else { 1 };
    Ok(Blosc {
        inner,
        level: integer(settings, "clevel", 5, 0..=9)? as i32,
        arrange: arrange(settings, element)?,
        typesize: integer(settings, "typesize", natural as i64, 1..=255)? as usize,
        blocksize: integer(settings, "blocksize", 0, 0..=i64::from(i32::MAX))? as usize,
    })
}

fn arrange(settings: &Settings, element: &Element) -> Result<Arrange> {
    let value = settings.get("shuffle").unwrap_or(&Value::Null);
    Ok(match (value.as_str(), value.as_i64()) {
        (Some("noshuffle"), _) | (_, Some(0)) => Arrange::Plain,
        (Some("shuffle"), _) | (_, Some(1)) => Arrange::Shuffle,
        (Some("bitshuffle"), _) | (_, Some(2)) => Arrange::BitShuffle,
        (None, Some(-1) | None) if element.size == 1 => Arrange::BitShuffle,
        (None, Some(-1) | None) => Arrange::Shuffle,
        _ => return Err(Error::invalid(format!("the blosc shuffle {value} is unknown"))),
    })
}

/// numcodecs' delta filter, on integers of the array's own type as it is in memory.
pub(super) fn delta(settings: &Settings, element: &Element) -> Result<Delta> {
    let text = |field: &str| settings.get(field).and_then(Value::as_str);
    let dtype = text("dtype").unwrap_or_default();
    let order = if element.memory_is_big_endian { '>' } else { '<' };
    let expected = [format!("{order}i{}", element.size), format!("{order}u{}", element.size)];
    let bytes = [String::from("|i1"), String::from("|u1")];
    let known =
        expected.iter().chain(bytes.iter().filter(|_| element.size == 1)).any(|d| d == dtype);
    let same = text("astype").is_none_or(|other| other == dtype);
    if known && same && element.is_integer {
        Ok(Delta { element_bytes: element.size, big_endian: false })
    } else {
        Err(Error::unsupported(format!(
            "the delta filter of {dtype:?} on this data is not covered"
        )))
    }
}
