"""Many clips: what is to be done with each, where it runs, and what became of it."""
