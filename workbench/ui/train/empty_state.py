"""What the Train page says without boxes, and which step it offers."""

from __future__ import annotations

from workbench.core.document import Document
from workbench.ui.widgets.empty_state import EmptyState


def show_empty_state(empty: EmptyState, document: Document | None) -> None:
    """`document` None: no project is open."""
    if document is None:
        empty.say("No project is open", "Open one, or make one from a folder of photographs.")
    elif not len(document.images()):
        empty.say("No images yet", "A detector learns from images with labelled boxes.", "Add images", "data")
    else:
        told = "A detector learns from labelled boxes. Draw some, or import labels that you have."
        empty.say("No boxes yet", told, "Draw boxes", "label")
        empty.offer_other("Import labels…")
