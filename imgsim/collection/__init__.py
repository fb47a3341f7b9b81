"""The pictures of a store: their rows, what is computed from them, runs and failures."""
