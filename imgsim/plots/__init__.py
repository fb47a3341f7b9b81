"""Figures of a store, each a function from gathered data to a matplotlib Figure.

In a notebook:

    from imgsim import models, plots, search
    question = search.Question("096240010000330_0", k=5)
    plots.grid([plots.ranking(connection, question, m) for m in models.stored(connection)])
"""

from imgsim.plots.counts import overlap, threshold
from imgsim.plots.gather import overlap as overlap_table
from imgsim.plots.gather import ranking, threshold_counts
from imgsim.plots.ladders import gather_ladder, ladder
from imgsim.plots.maps import gather_map, image_map
from imgsim.plots.members import gather_group, group
from imgsim.plots.orbits import around
from imgsim.plots.output import destination, save
from imgsim.plots.overlays import gather_overlay, overlay
from imgsim.plots.reappearances import gather_reuse, reuse
from imgsim.plots.side_by_side import grid
from imgsim.plots.timelines import timeline

__all__ = [
    "around",
    "destination",
    "gather_group",
    "gather_ladder",
    "gather_map",
    "gather_overlay",
    "gather_reuse",
    "grid",
    "group",
    "image_map",
    "ladder",
    "overlap",
    "overlap_table",
    "overlay",
    "ranking",
    "reuse",
    "save",
    "threshold",
    "threshold_counts",
    "timeline",
]
