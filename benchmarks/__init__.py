"""Side-by-side measurements of imgsim and its peers: `python -m benchmarks` lists them.

They are no tests: nothing here asserts a time. `docs/benchmarks.md` tells what the figures mean.
"""
