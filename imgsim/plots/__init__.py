"""Figures of a store, each a function from gathered data to a matplotlib Figure.

In a notebook:

    from imgsim import plots
    from imgsim.networks import models
    from imgsim.similarity import search
    question = search.Question("096240010000330_0", k=5)
    plots.draw_grid([plots.ranking(connection, question, m) for m in models.stored(connection)])
"""

from imgsim.plots.around import draw_around
from imgsim.plots.counts import draw_overlap, draw_threshold
from imgsim.plots.gather import overlap as overlap_table
from imgsim.plots.gather import ranking, threshold_counts
from imgsim.plots.grid import draw_grid
from imgsim.plots.group import draw_group, gather_group
from imgsim.plots.ladder import draw_ladder, gather_ladder
from imgsim.plots.layout.output import destination, save
from imgsim.plots.map import draw_map, gather_map
from imgsim.plots.overlay import draw_overlay, gather_overlay
from imgsim.plots.reuse import draw_reuse, gather_reuse
from imgsim.plots.timeline import draw_timeline

__all__ = [
    "destination",
    "draw_around",
    "draw_grid",
    "draw_group",
    "draw_ladder",
    "draw_map",
    "draw_overlap",
    "draw_overlay",
    "draw_reuse",
    "draw_threshold",
    "draw_timeline",
    "gather_group",
    "gather_ladder",
    "gather_map",
    "gather_overlay",
    "gather_reuse",
    "overlap_table",
    "ranking",
    "save",
    "threshold_counts",
]
