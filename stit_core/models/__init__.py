"""Networks only (nn.Module): they read no files and take ready weights."""
