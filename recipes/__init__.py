"""How the embedded pack is made: renders, training, sample clips."""
