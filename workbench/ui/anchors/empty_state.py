"""What the Anchors page says without boxes, and which step it offers."""

from __future__ import annotations

from workbench.core.document import Document
from workbench.ui.widgets.empty_state import EmptyState


def show_empty_state(empty: EmptyState, document: Document | None) -> None:
    """`document` None: no project is open."""
    if document is None:
        empty.say("No project is open", "Open one, or make one from a folder of photographs.")
    elif not len(document.images()):
        sentence = "Anchors are typical box sizes, so they need images with boxes."
        empty.say("No images yet", sentence, "Add images", "data")
    else:
        sentence = "Anchors are typical box sizes, so they need boxes. Draw some, or import labels that you have."
        empty.say("No boxes yet", sentence, "Draw boxes", "label")
        empty.offer_other("Import labels…")
