//! Blosc frames, held against C-Blosc.
#![allow(unsafe_code)] // the call of C-Blosc

use anyzarr_core::codec::blosc::{Arrange, Blosc, Inner, decode_span};
use anyzarr_core::codec::{BytesCodec, Contexts};

use crate::check_error;
use crate::codecs::{codec_holds, decode_again};
use crate::input::Input;

const HEADER: usize = 16;

/// Input: room, first and last byte wanted (two bytes each), two of options, the frame.
pub fn blosc(data: &[u8]) {
    let mut input = Input(data);
    let (room, first, last) = (input.short(), input.short(), input.short());
    let (options, size) = (input.byte(), input.byte());
    let mut frame = input.0.to_vec();
    // Mutations change the length, which the header says: let some get past that check.
    if options & 0x80 == 0 && frame.len() >= HEADER {
        let length = (frame.len() as u32).to_le_bytes();
        frame[12..HEADER].copy_from_slice(&length);
    }
    let codec = BytesCodec::Blosc(settings(options, size));
    codec_holds(&codec, &frame, room);
    let Some(plain) = decode_again(&codec, &frame, room) else {
        part(&frame, room, first..last);
        return;
    };
    if let Some(found) = part(&frame, room, first..last) {
        let stop = last.min(plain.len());
        let start = first.min(stop);
        assert_eq!(found[start..stop], plain[start..stop], "the blocks of a part are others");
    } else {
        panic!("a part of a good frame cannot be decoded");
    }
    if let Some(expected) = c_blosc(&frame, plain.len()) {
        assert!(expected == plain, "C-Blosc decodes it to something else");
    }
}

fn settings(options: usize, size: usize) -> Blosc {
    let inner = [Inner::BloscLz, Inner::Lz4, Inner::Lz4Hc, Inner::Zlib, Inner::Zstd];
    let arrange = [Arrange::Plain, Arrange::Shuffle, Arrange::BitShuffle];
    Blosc {
        inner: inner[options % 5],
        level: (size % 10) as i32,
        arrange: arrange[options / 5 % 3],
        typesize: [1, 2, 3, 4, 8, 16, 17, 255][size / 10 % 8],
        blocksize: [0, 1, 128, 1000][size / 80],
    }
}

fn part(frame: &[u8], room: usize, span: std::ops::Range<usize>) -> Option<Vec<u8>> {
    let mut target = vec![0x5A; room];
    match decode_span(&mut Contexts::default(), frame, &mut target, span) {
        Ok(size) => Some(target[..size].to_vec()),
        Err(error) => {
            check_error(&error);
            None
        }
    }
}

/// What C-Blosc makes of a frame that is as long as its header says.
fn c_blosc(frame: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut target = vec![0; size];
    // SAFETY: pointers and sizes are those of the buffers.
    let found = unsafe {
        blosc_src::blosc_decompress_ctx(frame.as_ptr().cast(), target.as_mut_ptr().cast(), size, 1)
    };
    (usize::try_from(found) == Ok(size)).then_some(target)
}
