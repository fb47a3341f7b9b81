"""Picture files: found, opened, and made ready for a network."""
