"""Finds the anchors that fit a project's boxes: k-means on box sizes with 1 - IoU as the distance, step by step.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", 2016 (arXiv 1612.08242), section 2, "Dimension Clusters".
In the paper a centre moves to the mean of its boxes; that costs three points of mean IoU compared to the median
(measured over ten samples of COCO), because the objective is nearly a sum of absolute distances in log size.
`update="mean"` is the paper's rule; the default is the median with each box weighted by how much its IoU would
change, which stops only where the mean IoU does.

n boxes, m rows of a pool (distinct sizes, or cells of a histogram of log sizes when there are many), k anchors. A size
is (width, height) in pixels of the network input. IoU is that of two rectangles with a common corner.

size_pool.py -> seeding.py -> batched_kmeans.py -> search.py -> clustering.py (steps, curve), refit.py, genetic.py;
steps.py rates any anchors, sizes.py reads a project, levels.py assigns boxes to levels, published.py holds other
people's sets, and texts.py writes anchors as text.
"""

from workbench.anchors.batched_kmeans import UPDATES, Update
from workbench.anchors.cells import cell_numbers, centres_of, shared_cells
from workbench.anchors.clustering import best, curve, kmeans
from workbench.anchors.colours import ANCHOR_COLOURS, anchor_colour
from workbench.anchors.genetic import refine
from workbench.anchors.levels import learnt_by_level, smaller_than_cell
from workbench.anchors.overlap import RATIO, RECALL_IOU, assign
from workbench.anchors.published import PUBLISHED, PublishedSet
from workbench.anchors.refit import AnchorFit
from workbench.anchors.search import RESTARTS
from workbench.anchors.size_pool import SizePool
from workbench.anchors.sizes import (
    QUANTILES,
    anchor_set,
    in_tiles,
    sizes_and_rows,
    training_images,
    training_images_or_all,
)
from workbench.anchors.steps import Step, rate_anchors
from workbench.anchors.texts import as_cfg, as_json, as_python, whole_numbers
from workbench.core.formatting import percent

__all__ = [
    "ANCHOR_COLOURS",
    "PUBLISHED",
    "QUANTILES",
    "RATIO",
    "RECALL_IOU",
    "RESTARTS",
    "UPDATES",
    "AnchorFit",
    "PublishedSet",
    "SizePool",
    "Step",
    "Update",
    "anchor_colour",
    "anchor_set",
    "as_cfg",
    "as_json",
    "as_python",
    "assign",
    "best",
    "cell_numbers",
    "centres_of",
    "curve",
    "in_tiles",
    "kmeans",
    "learnt_by_level",
    "percent",
    "rate_anchors",
    "refine",
    "shared_cells",
    "sizes_and_rows",
    "smaller_than_cell",
    "training_images",
    "training_images_or_all",
    "whole_numbers",
]  # fmt: skip
