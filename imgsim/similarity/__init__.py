"""Which pictures are alike by their vectors: search, lists, pairs, the index."""
