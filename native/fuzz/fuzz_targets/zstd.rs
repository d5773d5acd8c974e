//! See `anyzarr_fuzz::codecs::zstd`.
#![cfg_attr(feature = "libfuzzer", no_main)]

anyzarr_fuzz::target!(anyzarr_fuzz::codecs::zstd);
