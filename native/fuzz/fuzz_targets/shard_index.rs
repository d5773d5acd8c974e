//! See `anyzarr_fuzz::index::shard_index`.
#![cfg_attr(feature = "libfuzzer", no_main)]

anyzarr_fuzz::target!(anyzarr_fuzz::index::shard_index);
