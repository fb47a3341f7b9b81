"""Models and their weights: pixels to vectors, and training."""
