//! See `anyzarr_fuzz::plan::plan`.
#![cfg_attr(feature = "libfuzzer", no_main)]

anyzarr_fuzz::target!(anyzarr_fuzz::plan::plan);
