"""Any engine, any store, one Zarr."""
