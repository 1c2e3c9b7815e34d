"""Cleans the names of imported labels: no spaces at the ends, no characters that don't fit on a line of text, and the
present name of a label that was renamed here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from workbench.core.document import Document
from workbench.core.formatting import one_line, visible
from workbench.core.former_names import former_names
from workbench.formats import Reading
from workbench.formats.parts.report import Report


def clean_names(reading: Reading, report: Report, renamed: Mapping[str, str]) -> Reading:
    """`reading` with names that a project can hold; changes are reported. Names that become equal are one label;
    `labels` then has it twice, by its numbers in the files. `renamed`: the present name for each former one.
    """
    foreign = dict.fromkeys([*reading.labels, *(box.label for image in reading.images for box in image.boxes)])
    names = {name: one_line(name) or "unnamed" for name in foreign}
    names = {name: renamed.get(clean, clean) for name, clean in names.items()}
    changed = {name: clean for name, clean in names.items() if name != clean}
    if not changed:
        return reading
    for name, clean in changed.items():
        report.say(
            "repaired",
            reading.source.name,
            _sentence(name, clean, one_line(name) in renamed),
            kind="labels renamed",
        )
    images = tuple(
        dataclasses.replace(image, boxes=tuple(dataclasses.replace(box, label=names[box.label]) for box in image.boxes))
        if any(box.label in changed for box in image.boxes)
        else image
        for image in reading.images
    )
    return dataclasses.replace(reading, labels=tuple(names[name] for name in reading.labels), images=images)


def renamed_labels(document: Document) -> dict[str, str]:
    """The present name of each label by its former names that no label has now."""
    now = {label.id: label.name for label in document.labels()}
    return {name: now[id] for name, id in former_names(document).items() if id in now}


def _sentence(name: str, clean: str, is_former: bool) -> str:
    apart = f" now. To keep the two apart, add a label '{visible(name)}' first." if is_former else "."
    return f"The label '{visible(name)}' is called '{clean}' here{apart}"
