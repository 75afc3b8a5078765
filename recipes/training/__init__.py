"""Training of the embedded pack: data, loop, one module a network, export."""
