//! See `anyzarr_fuzz::blosc::blosc`.
#![cfg_attr(feature = "libfuzzer", no_main)]

anyzarr_fuzz::target!(anyzarr_fuzz::blosc::blosc);
