//! See `anyzarr_fuzz::vlen::vlen`.
#![cfg_attr(feature = "libfuzzer", no_main)]

anyzarr_fuzz::target!(anyzarr_fuzz::vlen::vlen);
