"""One module per geometry, each with what writes and reads it."""
