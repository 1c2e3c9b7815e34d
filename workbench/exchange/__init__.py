"""Labels into a project and out of it, in the formats of workbench/formats.

Beside the images: autosync.py keeps YOLO or VOC files up to date.
Import: `plan_import` reads and compares and changes nothing; `apply_import` makes one edit of the plan.
Export: `losses` says what a format would lose of a project; `export_labels` writes, and says it again. `renumbered`
says which exported folders an edit of the labels would leave with other numbers than the project's.
"""

from workbench.exchange.comparing import Changed, Difference
from workbench.exchange.exported import Exported, Renumbered, remember, renumbered, write_anew
from workbench.exchange.exporting import ExportReport, export_labels, losses
from workbench.exchange.import_plan import ImportPlan, ImportSettings
from workbench.exchange.importing import ImportReport, apply_import, keep_files, plan_import
from workbench.exchange.recognising import recognise

__all__ = [
    "Changed",
    "Difference",
    "ExportReport",
    "Exported",
    "ImportPlan",
    "ImportReport",
    "ImportSettings",
    "Renumbered",
    "apply_import",
    "export_labels",
    "keep_files",
    "losses",
    "plan_import",
    "recognise",
    "remember",
    "renumbered",
    "write_anew",
]
