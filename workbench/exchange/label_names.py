"""Cleans the names of imported labels: no spaces at the ends, no characters that don't fit on a line of text, and the
present name of a label that was renamed here. Or the label of the project that a person says it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Mapping

from workbench.core.document import Document
from workbench.core.formatting import named, one_line, visible
from workbench.core.former_names import former_names
from workbench.errors import WorkbenchError
from workbench.exchange.matching import MatchedImage
from workbench.formats import Reading
from workbench.formats.parts.report import Report

_NAMED = 12  # labels listed in a sentence


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


def names_before(document: Document) -> tuple[dict[str, str], ...]:
    """What the labels may have been called before, by their present names: the first names of all, the second ones …"""
    former: dict[str, list[str]] = {}
    for name, now in renamed_labels(document).items():
        former.setdefault(now, []).append(name)
    most = max(map(len, former.values()), default=0)
    return tuple({now: names[min(place, len(names) - 1)] for now, names in former.items()} for place in range(most))


def check_matches(document: Document, reading: Reading, names: Mapping[str, str]) -> None:
    """WorkbenchError if the files lack a label of `names`, or the project lacks the one that it is said to be."""
    theirs = dict.fromkeys([*reading.labels, *(box.label for image in reading.images for box in image.boxes)])
    ours = dict.fromkeys(label.name for label in document.labels())
    for name, label in names.items():
        if name not in theirs:
            raise WorkbenchError(f"The files have no label '{name}', so it can't be '{label}'. {_listed(theirs)}")
        if label not in ours:
            raise WorkbenchError(f"The project has no label '{label}' that '{name}' could be. {_listed(ours)}")


def _listed(names: Iterable[str]) -> str:
    quoted = [f"'{visible(name)}'" for name in names]
    return f"There are {named(quoted, _NAMED)}." if quoted else "There are none."


def tell_of_own(names: Mapping[str, str], own: Container[str], report: Report) -> None:
    """Say which of `names` are also labels of the project, its `own`: a later import can't know that they are not."""
    for name, label in names.items():
        if name in own and name != label:
            sentence = (
                f"'{visible(name)}' is '{visible(label)}' this time only, as the project has a label of that name, too."
                f" Say so again when these files are imported again, or the boxes become '{visible(name)}'."
            )
            report.say("read", "", sentence)


def matched_reading(reading: Reading, names: Mapping[str, str]) -> Reading:
    """`reading` with the project's labels for those of `names` in its list of labels; its boxes are MatchedImage's."""
    return dataclasses.replace(reading, labels=tuple(names.get(name, name) for name in reading.labels))


def matched_boxes(one: MatchedImage, names: Mapping[str, str]) -> MatchedImage:
    """`one` with the project's labels for those of `names`."""
    if not any(name in names for name, _ in one.boxes):
        return one
    return dataclasses.replace(one, boxes=tuple((names.get(name, name), box) for name, box in one.boxes))


def _sentence(name: str, clean: str, is_former: bool) -> str:
    apart = f" now. To keep the two apart, add a label '{visible(name)}' first." if is_former else "."
    return f"The label '{visible(name)}' is called '{clean}' here{apart}"
