"""Labels into a project and out of it, in the formats of workbench/formats.

Beside the images: autosync.py keeps YOLO or VOC files up to date.
Import: `plan_import` reads and compares without changing anything; `apply_import` turns the plan into one edit.
Export: `losses` says what a format would lose of a project; `export_labels` writes, and reports it again. `renumbered`
says which exported folders would have other label numbers than the project after an edit of the labels.
"""

from workbench.exchange.comparison import ChangedSide, ImageDifference
from workbench.exchange.export_history import PastExport, RenumberedExport, export_again, remember, renumbered
from workbench.exchange.exporting import ExportReport, export_labels, losses
from workbench.exchange.import_plan import ImportPlan, ImportSettings
from workbench.exchange.importing import ImportReport, apply_import, keep_files, plan_import
from workbench.exchange.recognition import recognise

__all__ = [
    "ChangedSide",
    "ExportReport",
    "ImageDifference",
    "ImportPlan",
    "ImportReport",
    "ImportSettings",
    "PastExport",
    "RenumberedExport",
    "apply_import",
    "export_again",
    "export_labels",
    "keep_files",
    "losses",
    "plan_import",
    "recognise",
    "remember",
    "renumbered",
]
