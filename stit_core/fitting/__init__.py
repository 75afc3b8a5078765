"""What stages that fit a generator share: optimiser, expression, key frames, and the record of finished frames."""
