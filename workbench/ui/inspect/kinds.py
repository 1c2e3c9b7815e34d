"""The kinds of NMS as they are named on the screen, each with a sentence."""

from __future__ import annotations

from workbench.core.detections import Kind

KINDS: dict[Kind, tuple[str, str]] = {
    "per label": ("per label", "Of two detections of a label that overlap more, the lower one goes."),
    "across labels": ("across labels", "Of any two detections that overlap more, the lower one goes."),
    "diou": ("DIoU", "As per label, but centres far apart count against the overlap (arXiv 1911.08287): for crowds."),
    "darknet diou": (
        "Darknet's DIoU",
        "As DIoU, but the distance counts by its power 0.6, as in Darknet (nms_kind=greedynms of YOLOv4's files).",
    ),
    "soft": ("soft", "Soft-NMS: the lower one stays with a score lower by the overlap (arXiv 1704.04503)."),
}
