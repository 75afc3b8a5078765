"""Video files in and out: what is in them, decoding, encoding, trimming, grids."""
