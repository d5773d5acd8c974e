//! See `anyzarr_fuzz::chunk::chunk`.
#![cfg_attr(feature = "libfuzzer", no_main)]

anyzarr_fuzz::target!(anyzarr_fuzz::chunk::chunk);
