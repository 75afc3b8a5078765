"""Model packs: manifest, files, networks made of them, official checkpoints."""
