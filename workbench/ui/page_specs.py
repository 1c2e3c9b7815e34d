"""The six pages in working order, and the module of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageSpec:
    """A page before it is created: its module is imported when first shown, so that the window opens quickly."""

    name: str
    title: str
    icon: str
    module: str
    kind: str


PAGE_SPECS = (
    PageSpec("data", "Data", "mdi6.image-multiple-outline", "workbench.ui.data.page", "DataPage"),
    PageSpec("label", "Label", "mdi6.vector-rectangle", "workbench.ui.annotate.page", "AnnotatePage"),
    PageSpec("anchors", "Anchors", "mdi6.chart-scatter-plot", "workbench.ui.anchors.page", "AnchorsPage"),
    PageSpec("train", "Train", "mdi6.chart-line", "workbench.ui.train.page", "TrainPage"),
    PageSpec("inspect", "Inspect", "mdi6.image-search-outline", "workbench.ui.inspect.page", "InspectPage"),
    PageSpec("export", "Export", "mdi6.package-up", "workbench.ui.export.page", "ExportPage"),
)
