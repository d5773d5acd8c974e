//! See `anyzarr_fuzz::archive::archive`.
#![cfg_attr(feature = "libfuzzer", no_main)]

anyzarr_fuzz::target!(anyzarr_fuzz::archive::archive);
