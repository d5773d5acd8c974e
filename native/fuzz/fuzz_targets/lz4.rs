//! See `anyzarr_fuzz::codecs::lz4`.
#![cfg_attr(feature = "libfuzzer", no_main)]

anyzarr_fuzz::target!(anyzarr_fuzz::codecs::lz4);
