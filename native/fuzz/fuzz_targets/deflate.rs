//! See `anyzarr_fuzz::codecs::deflate`.
#![cfg_attr(feature = "libfuzzer", no_main)]

anyzarr_fuzz::target!(anyzarr_fuzz::codecs::deflate);
