//! The bytes-to-bytes codecs.
//!
//! Input: two bytes of room (how much the metadata expects), one of options, the encoded bytes.

use std::cell::RefCell;

use anyzarr_core::codec::deflate::{Deflate, Wrapper};
use anyzarr_core::codec::lz4::Lz4;
use anyzarr_core::codec::zstd::Zstd;
use anyzarr_core::codec::{BytesCodec, Contexts};

use crate::check_error;
use crate::input::Input;

const MAX_PLAIN: usize = 4096;

thread_local! {
    static CONTEXTS: RefCell<Contexts> = RefCell::default();
}

/// zstd frames.
pub fn zstd(data: &[u8]) {
    let mut input = Input(data);
    let (room, options) = (input.short(), input.byte());
    let level = [-5, 0, 3][options % 3];
    let codec = BytesCodec::Zstd(Zstd { level, checksum: options & 0x80 != 0 });
    codec_holds(&codec, input.0, room);
}

/// gzip members or a zlib stream.
pub fn deflate(data: &[u8]) {
    let mut input = Input(data);
    let (room, options) = (input.short(), input.byte());
    let wrapper = if options & 0x80 == 0 { Wrapper::Gzip } else { Wrapper::Zlib };
    let codec = BytesCodec::Deflate(Deflate { wrapper, level: (options % 10) as i32 });
    codec_holds(&codec, input.0, room);
}

/// A size and an LZ4 block.
pub fn lz4(data: &[u8]) {
    let mut input = Input(data);
    let (room, options) = (input.short(), input.byte());
    codec_holds(&BytesCodec::Lz4(Lz4 { acceleration: options as i32 - 100 }), input.0, room);
}

/// Decoding gives an error or bytes, whatever the contexts did before, and uses no room it does
/// not need; what is encoded decodes to the same.
pub fn codec_holds(codec: &BytesCodec, encoded: &[u8], room: usize) {
    let decoded = decode_again(codec, encoded, room);
    if let Some(plain) = &decoded {
        assert_eq!(decode_again(codec, encoded, plain.len()).as_ref(), Some(plain));
        if let Some(less) = plain.len().checked_sub(1) {
            assert_eq!(decode_again(codec, encoded, less), None, "it fits where it cannot");
        }
        round_trip(codec, plain);
    }
    round_trip(codec, &encoded[..encoded.len().min(MAX_PLAIN)]);
}

/// Decode with contexts that are used again; None if it is an error.
pub fn decode_again(codec: &BytesCodec, encoded: &[u8], room: usize) -> Option<Vec<u8>> {
    let mut target = vec![0xA5; room];
    let result = CONTEXTS.with_borrow_mut(|cx| codec.decode(cx, encoded, &mut target));
    match result {
        Ok(size) => {
            assert!(size <= room);
            target.truncate(size);
            Some(target)
        }
        Err(error) => {
            check_error(&error);
            None
        }
    }
}

fn round_trip(codec: &BytesCodec, plain: &[u8]) {
    let bound = codec.bound(plain.len()).unwrap_or_default();
    let mut encoded = vec![0; bound];
    let size = CONTEXTS.with_borrow_mut(|cx| codec.encode(cx, plain, &mut encoded));
    let size = size.unwrap_or_else(|error| panic!("encoding failed: {error}"));
    encoded.truncate(size);
    let again = decode_again(codec, &encoded, plain.len());
    assert_eq!(again.as_deref(), Some(plain), "it decodes to something else");
}
