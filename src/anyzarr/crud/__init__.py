"""The functional API: Zarr as plain functions of metadata, store, path and parameters.

The document passed in is authoritative, which allows virtual views; nothing is looked up
behind the caller's back. Every function has a twin ``name_async``. :class:`anyzarr.Array`
and :class:`anyzarr.Group` are thin objects that bind the arguments.
"""

from anyzarr.crud._children import list_children, list_children_async
from anyzarr.crud._chunks import (
    decode_chunk,
    decode_chunk_async,
    delete_chunk,
    delete_chunk_async,
    encode_chunk,
    encode_chunk_async,
    read_chunk,
    read_chunk_async,
    read_encoded_chunk,
    read_encoded_chunk_async,
    read_encoded_subchunk,
    read_encoded_subchunk_async,
    read_subchunk,
    read_subchunk_async,
    write_chunk,
    write_chunk_async,
    write_encoded_chunk,
    write_encoded_chunk_async,
)
from anyzarr.crud._consolidated import (
    consolidate_metadata,
    consolidate_metadata_async,
    consolidated_differences,
    consolidated_differences_async,
)
from anyzarr.crud._creation import (
    create_new_array,
    create_new_array_async,
    create_new_group,
    create_new_group_async,
    create_overwrite_array,
    create_overwrite_array_async,
    create_overwrite_group,
    create_overwrite_group_async,
)
from anyzarr.crud._guarded import write_guarantee
from anyzarr.crud._nodes import (
    delete_node,
    delete_node_async,
    read_metadata,
    read_metadata_async,
    write_metadata,
    write_metadata_async,
)
from anyzarr.crud._ragged import (
    read_ragged,
    read_ragged_async,
    write_ragged,
    write_ragged_async,
)
from anyzarr.crud._regions import (
    read_region,
    read_region_async,
    write_region,
    write_region_async,
)
from anyzarr.crud._update import update_attributes, update_attributes_async

__all__ = [
    "consolidate_metadata",
    "consolidate_metadata_async",
    "consolidated_differences",
    "consolidated_differences_async",
    "create_new_array",
    "create_new_array_async",
    "create_new_group",
    "create_new_group_async",
    "create_overwrite_array",
    "create_overwrite_array_async",
    "create_overwrite_group",
    "create_overwrite_group_async",
    "decode_chunk",
    "decode_chunk_async",
    "delete_chunk",
    "delete_chunk_async",
    "delete_node",
    "delete_node_async",
    "encode_chunk",
    "encode_chunk_async",
    "list_children",
    "list_children_async",
    "read_chunk",
    "read_chunk_async",
    "read_encoded_chunk",
    "read_encoded_chunk_async",
    "read_encoded_subchunk",
    "read_encoded_subchunk_async",
    "read_metadata",
    "read_metadata_async",
    "read_ragged",
    "read_ragged_async",
    "read_region",
    "read_region_async",
    "read_subchunk",
    "read_subchunk_async",
    "update_attributes",
    "update_attributes_async",
    "write_chunk",
    "write_chunk_async",
    "write_encoded_chunk",
    "write_encoded_chunk_async",
    "write_guarantee",
    "write_metadata",
    "write_metadata_async",
    "write_ragged",
    "write_ragged_async",
    "write_region",
    "write_region_async",
]
