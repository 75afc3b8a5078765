"""Aligned faces: what the networks read in them, and the names of their parts."""
