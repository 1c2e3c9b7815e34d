"""The progress of labelling, and how many images were worked on since some moment, such as the last training."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from workbench.core import edits
from workbench.core.formatting import count
from workbench.core.storage import journal
from workbench.core.storage.contents import Contents
from workbench.errors import WorkbenchError

MOST = 2_000
"""How many of the newest edits are searched: reading them takes 20 ms."""
_LONG = 100_000
"""Characters from which an edit is not examined: an import, not work by hand."""
_WORK = (edits.AddBoxes, edits.ReplaceBoxes, edits.RemoveBoxes, edits.SetState)


@dataclass(frozen=True, slots=True)
class LabellingProgress:
    """Numbers of images: `labelled` are done or verified; `changed` had boxes or state edited since a moment, and is
    None if none was given.
    """

    labelled: int
    total: int
    changed: int | None = None

    @property
    def sentence(self) -> str:
        """For people: "12 of 364 images labelled, 352 remain; 18 corrected since the last training"."""
        sentence = f"{self.labelled:,} of {count(self.total, 'image')} labelled, {self.total - self.labelled:,} remain"
        return sentence if self.changed is None else f"{sentence}; {self.changed:,} corrected since the last training"


def labelling_progress(document: Contents, since: float | None = None) -> LabellingProgress:
    """How far the project is. `since`: seconds since 1970. Edits that were undone don't count as changes."""
    images = document.images()
    labelled = int(images.finished.sum())
    return LabellingProgress(labelled, len(images), None if since is None else len(_changed(document, since)))


def _changed(document: Contents, since: float) -> set[int]:
    rows = document.store.rows(
        "SELECT edit, inverse FROM journal WHERE seq > (SELECT ifnull(max(seq), 0) FROM journal WHERE time <= ?)"
        " AND undone = 0 AND length(edit) + length(inverse) < ? ORDER BY seq DESC LIMIT ?", since, _LONG, MOST,
    )  # fmt: skip
    found = set[int]()
    for row in rows:
        for text in (row["edit"], row["inverse"]):  # the inverse of a removal knows the images of its boxes
            with contextlib.suppress(WorkbenchError):  # of a newer version, or damaged
                for part in edits.walk(journal.from_json(text)):
                    if isinstance(part, _WORK):
                        found |= part.touches()
    alive = document.images()
    return {id for id in found if alive.has(id)}
