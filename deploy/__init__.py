"""What brings the page to a host; not needed to run it."""
