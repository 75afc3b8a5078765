"""Edit directions: the library with its cards, and learning one from labelled pictures."""
