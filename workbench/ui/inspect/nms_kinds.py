"""The kinds of NMS, each with a sentence for the screen."""

from __future__ import annotations

from workbench.core.nms import TITLES, NmsKind

_HELP: dict[NmsKind, str] = {
    "per label": "Of two detections of a label that overlap more, the lower one goes.",
    "across labels": "Of any two detections that overlap more, the lower one goes.",
    "diou": "As per label, but the overlap counts less the farther the centres are apart (arXiv 1911.08287): for "
    "crowds.",
    "darknet diou": "As DIoU, but with the distance to the power of 0.6, as in Darknet (nms_kind=greedynms of YOLOv4's"
    " files).",
    "soft": "Soft-NMS: the lower one stays, with a score reduced by the overlap (arXiv 1704.04503).",
}
NMS_KINDS: dict[NmsKind, tuple[str, str]] = {kind: (TITLES[kind], help) for kind, help in _HELP.items()}
