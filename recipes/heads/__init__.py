"""A deterministic renderer of synthetic heads over the CC0 MakeHuman data."""
