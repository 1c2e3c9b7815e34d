"""Names of labels that come in: without spaces at their ends and without characters that no line of text can hold."""

from __future__ import annotations

import dataclasses

from workbench.core.words import one_line, visible
from workbench.formats import Reading
from workbench.formats.parts.report import Report


def cleaned(reading: Reading, report: Report) -> Reading:
    """`reading` with names that a project can hold; what was changed is told. Names that become alike are one label;
    `labels` then has it twice, by its numbers in the files.
    """
    told = dict.fromkeys([*reading.labels, *(box.label for image in reading.images for box in image.boxes)])
    names = {name: one_line(name) or "unnamed" for name in told}
    changed = {name: clean for name, clean in names.items() if name != clean}
    if not changed:
        return reading
    for name, clean in changed.items():
        report.say(
            "repaired",
            reading.source.name,
            _sentence(name, clean),
            kind="labels renamed",
        )
    images = tuple(
        dataclasses.replace(image, boxes=tuple(dataclasses.replace(box, label=names[box.label]) for box in image.boxes))
        if any(box.label in changed for box in image.boxes)
        else image
        for image in reading.images
    )
    return dataclasses.replace(reading, labels=tuple(names[name] for name in reading.labels), images=images)


def _sentence(name: str, clean: str) -> str:
    return f"The label '{visible(name)}' is called '{clean}' here."
