"""The parts of the transfer: what an edit changes between two drawn faces, and how a frame takes it over."""
