"""What listeners of a document get: the edit itself, never "something changed"."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core import edits
from workbench.core.edits import Edit
from workbench.core.project import Box, Label


@dataclass(frozen=True, slots=True)
class AppliedEdit:
    """What a listener gets: the edit as applied (ids filled in), its inverse, and what it touched.

    For an undo, `edit` is what undoing did. `images` are the ids of all images whose boxes, state or split changed.
    """

    kind: str  # "do", "undo" or "redo"
    edit: Edit
    inverse: Edit
    title: str
    images: frozenset[int]
    labels_changed: bool
    images_changed: bool  # images came, went, or changed their row (state, split)
    settings_changed: bool
    steps: int = 1  # of undo or redo; `edit` is a batch of that many if it is more than one

    def changes(self, setting: str) -> bool:
        """Whether this edit changed the project's setting of that name."""
        return any(isinstance(part, edits.ChangeSetting) and part.key == setting for part in edits.walk(self.edit))

    @property
    def added_image_ids(self) -> frozenset[int]:
        """Ids of the images that this edit added, including those that were there under another name."""
        added = (part.images for part in edits.walk(self.edit) if isinstance(part, edits.AddImages))
        return frozenset(image.id for images in added for image in images)

    @property
    def added_boxes(self) -> tuple[Box, ...]:
        """Boxes that this edit added, with their ids."""
        return tuple(b for part in edits.walk(self.edit) if isinstance(part, edits.AddBoxes) for b in part.boxes)

    @property
    def added_labels(self) -> tuple[Label, ...]:
        return tuple(x for part in edits.walk(self.edit) if isinstance(part, edits.AddLabels) for x in part.labels)
