"""From what a user wrote to trusted services: bytes, nodes, merge, interpolation, models, lowering."""
