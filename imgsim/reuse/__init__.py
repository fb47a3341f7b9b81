"""Which pictures are of one block: evidence, verdicts, thresholds, groups of re-use."""
