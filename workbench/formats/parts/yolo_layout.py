"""Finds the files of a YOLO data set: data.yaml (Ultralytics), obj.data (Darknet), or folders of images and txt.

Paths in data.yaml and obj.data are usually wrong once a data set has been moved: they are searched for inside the
data set's folder, never outside it, and what was done is reported.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.core.files import IMAGE_SUFFIXES, resolve_inside
from workbench.core.folders.image_lookup import ImageLookup, is_portable, to_posix, unpacked
from workbench.core.parsing import strict_text, strict_yaml
from workbench.core.project import Split
from workbench.errors import Refused, WorkbenchError
from workbench.formats.parts.layout import (
    SPLIT_NAMES,
    SPLIT_WORDS,
    display_name,
    files_below,
    parse_number,
    seems,
    split_of_folders,
)
from workbench.formats.parts.report import Report, read_bytes

LABEL_FOLDERS = ("labels", "label", "annotations", "labeltxt")
IMAGE_FOLDERS = ("images", "image", "jpegimages", "imgs", "img")
NAME_FILES = ("classes.txt", "obj.names", "classes.names", "_darknet.labels", "predefined_classes.txt")
_LIST_FILES = ("train.txt", "val.txt", "valid.txt", "test.txt", "trainval.txt")
_SYNONYMS = {"val": ("valid", "validation"), "valid": ("val", "validation"), "validation": ("val", "valid")}
_MAX_LABELS = 100_000
_DEEPEST = 32  # folders of a path to look for; each is looked for, so thousands would take minutes


@dataclass
class YoloLayout:
    """What to read. `names` None: there is no list of names. `images`: with the split given for each, in order.

    `listed`: images that a list names but that have no file. `unused`: label files of a split whose images have none.
    """

    names: tuple[str, ...] | None = None
    images: dict[Path, Split | None] = field(default_factory=dict)
    listed: dict[str, Split | None] = field(default_factory=dict)
    unused: set[Path] = field(default_factory=set)
    own: dict[Path, Path] = field(default_factory=dict)  # by image: label files that lie apart from it
    keypoints: int = 0
    whole: bool = False  # the data set names images without a label file, so they are part of it


def description_of(path: Path, unread: bool = False) -> Path | None:
    """The data.yaml or obj.data of a data set, or None. Refused if there is more than one.

    `unread`: whether one that can't be opened is returned where there is no other.
    """
    if os.path.isfile(path):
        return path if path.suffix.lower() in (".yaml", ".yml", ".data") else None
    found = _descriptions(path, unread=False)
    if unread and not found:
        found = _descriptions(path, unread=True)[:1]  # of several, too, reading tells what is wrong with one
    if len(found) > 1:
        names = ", ".join(display_name(f, path) for f in found[:5])
        raise Refused(path, f"there are several data sets here ({names}); choose one of them")
    return found[0] if found else None


def _descriptions(path: Path, unread: bool) -> list[Path]:
    yamls = [f for f in files_below(path, (".yaml", ".yml")) if seems(is_data_yaml, f, unread)]
    found = yamls or [f for f in files_below(path, ".data") if seems(_is_obj_data, f, unread)]
    return [f for f in found if f.parent == path] or found


def is_data_yaml(file: Path) -> bool:
    with file.open("rb") as stream:
        head = strict_text.beginning(stream.read(strict_yaml.SIZE_LIMIT))
    return bool(re.search(rb"^names\s*:", head, re.M) and re.search(rb"^(train|val|test|nc|path)\s*:", head, re.M))


def _is_obj_data(file: Path) -> bool:
    with file.open("rb") as stream:
        head = strict_text.beginning(stream.read(65_536))
    return bool(re.search(rb"^\s*(train|names|classes)\s*=", head, re.M))


def from_yaml(file: Path, root: Path, lookup: ImageLookup, report: Report) -> YoloLayout:
    """Read data.yaml: names and the images of its splits."""
    name = display_name(file, root)
    table = strict_yaml.parse(read_bytes(file, name), name)
    layout = YoloLayout(names=_yaml_names(table, name, report), keypoints=_keypoints(table), whole=True)
    folder = _yaml_folder(table, file.parent, name, report)
    for key, split in SPLIT_WORDS.items():
        node = table.get(key)
        if node is None or not node.value:
            continue
        for entry in node.items or (node,):
            if not entry.text:
                raise Refused(name, f"'{key}' must be a folder or a list of folders", entry.line)
            target = _resolve(folder, entry.text, want_images=lookup)
            has_none = target is None or (os.path.isdir(target) and not lookup.below(target))
            if has_none and _add_labels(entry.text, split, folder, lookup, layout, report):
                continue
            if target is None:
                report.say(
                    "refused", name, f"There is no '{entry.text}' for {key}; that split was left out.", entry.line
                )
                continue
            if (folder / to_posix(entry.text)) != target:
                found = target.relative_to(root).as_posix() if target.is_relative_to(root) else target.name
                report.say("repaired", name, f"'{entry.text}' is not there; '{found}' was used for {key}.", entry.line)
            _add(target, split, folder, lookup, layout, report)
    _add_unsplit(folder, lookup, layout, report)
    if not (layout.images or layout.listed or layout.unused):
        line = min((node.line for key in SPLIT_WORDS if (node := table.get(key))), default=1)
        raise Refused(name, "none of its train, val and test folders was found inside the data set's folder", line)
    return layout


def _yaml_names(table: dict[str, strict_yaml.Node], name: str, report: Report) -> tuple[str, ...]:
    node = table.get("names")
    if node is None:
        raise Refused(name, "it has no 'names'", 1)
    if node.items is not None:
        pairs = list(enumerate(node.items))
    elif node.table is not None:
        pairs = []
        for key, value in node.table.items():
            if not re.fullmatch(r"[0-9]{1,6}", key, re.ASCII) or int(key) >= _MAX_LABELS:
                raise Refused(name, f"names: the key '{key[:40]}' must be 0, 1, 2 ...", value.line)
            pairs.append((int(key), value))
    else:
        raise Refused(name, "names: expected a list, or a table of index and name", node.line)
    if not pairs:
        raise Refused(name, "names: the list is empty", node.line)
    names = {index: _label(value.text, name, value.line) for index, value in pairs}
    count = max(names) + 1
    if count > len(names):
        sentence = (
            f"names: {count - len(names)} numbers below {count} have no name; they are called 'label' and the number."
        )
        report.say("repaired", name, sentence, node.line)
    total = table.get("nc")
    if total is not None and total.text != str(count):
        report.say("repaired", name, f"nc says {total.text}, but there are {count} names; nc was ignored.", total.line)
    return tuple(names.get(index, f"label {index}") for index in range(count))


def _label(text: str | None, file: str, line: int) -> str:
    if text is None or not text.strip():
        raise Refused(file, "a label without a name", line)
    return text.strip()


def _keypoints(table: dict[str, strict_yaml.Node]) -> int:
    shape = table.get("kpt_shape")
    sizes = [item.text or "" for item in shape.items] if shape and shape.items else []
    if len(sizes) == 2 and all(re.fullmatch(r"[0-9]{1,4}", size, re.ASCII) for size in sizes):
        return int(sizes[0]) * int(sizes[1])
    return 0


def _yaml_folder(table: dict[str, strict_yaml.Node], folder: Path, name: str, report: Report) -> Path:
    """The folder the splits' paths are relative to: `path` if it lies inside the yaml's folder, else the latter."""
    node = table.get("path")
    if node is None or not node.text or to_posix(node.text) == "":
        return folder
    inner = _resolve(folder, node.text) if is_portable(node.text) else None
    if inner is None or not os.path.isdir(inner):
        report.say(
            "repaired", name, f"path '{node.text}' is not inside this folder; the file's folder was used.", node.line
        )
        return folder
    return inner


def _resolve(folder: Path, text: str, want_images: ImageLookup | None = None) -> Path | None:
    """The folder or list a path means in `folder`: as given, without its first parts, val for valid, other capitals."""
    parts = [part for part in to_posix(text).split("/") if part != ".."][-_DEEPEST:]
    every = [words for start in range(len(parts)) for words in _alike(parts[start:])]
    for words in itertools.chain(every, (other for words in every if (other := _as_spelt(folder, words)) != words)):
        try:
            target = resolve_inside(folder, "/".join(words))
            is_list = target.suffix.lower() in (".txt", ".names") and os.path.isfile(target)
            if is_list or os.path.isdir(target) or (want_images is not None and want_images.below(target)):
                return target
        except (WorkbenchError, OSError, ValueError):
            continue
    if to_posix(text) == "" and want_images is not None:
        return folder  # "train: ." or "./"
    return None


def _as_spelt(folder: Path, words: list[str]) -> list[str]:
    """The parts of a path as they are spelt on disk; as given from the first on of which there is not just one."""
    found = list[str]()
    for place, word in enumerate(words):
        try:
            here = resolve_inside(folder, "/".join(found)) if found else folder  # not through a link that leads out
            alike = [name for name in os.listdir(here) if name.casefold() == word.casefold()]
        except (OSError, ValueError, WorkbenchError):
            alike = []
        if word not in alike and len(alike) != 1:
            return [*found, *words[place:]]
        found.append(word if word in alike else alike[0])
    return found


def _alike(parts: list[str]) -> Iterator[list[str]]:
    yield parts
    for place, part in enumerate(parts):
        for other in _SYNONYMS.get(part, ()):
            yield [*parts[:place], other, *parts[place + 1 :]]


def _add_unsplit(folder: Path, lookup: ImageLookup, layout: YoloLayout, report: Report) -> None:
    """Add images without a split from our own exports: data.yaml can't name them, so they are found by their folder."""
    name = SPLIT_NAMES[Split.NONE]
    if os.path.isdir(folder / "images" / name):
        _add(folder / "images" / name, None, folder, lookup, layout, report)
    elif os.path.isdir(folder / "labels" / name):
        _add_labels(f"images/{name}", None, folder, lookup, layout, report)


def _add(
    target: Path, split: Split | None, folder: Path, lookup: ImageLookup, layout: YoloLayout, report: Report
) -> None:
    below = lookup.below(target)
    for file in below:
        _claim(file, split, layout, report)
    if below or os.path.isdir(target):
        return
    name = display_name(target, folder)
    for line, entry in enumerate(text_lines(target, name), start=1):
        if not entry:
            continue
        if ".." in to_posix(entry).split("/"):
            report.tell_outside(name, entry, line)
        found = lookup.find(entry).file
        if found is not None:
            _claim(found, split, layout, report)
        else:
            layout.listed.setdefault(to_posix(entry), split)


def _add_labels(
    text: str, split: Split | None, folder: Path, lookup: ImageLookup, layout: YoloLayout, report: Report
) -> bool:
    """Add a split that came without its images: read its folder of labels, and look for the images everywhere."""
    words = ["labels" if part.lower() in IMAGE_FOLDERS else part for part in to_posix(text).split("/")]
    target = _resolve(folder, "/".join(words))
    if target is None or not os.path.isdir(target):
        return False
    for file in files_below(target, ".txt"):
        if not is_label_file(file):
            continue
        name = file.relative_to(target).with_suffix("").as_posix()
        found = lookup.find(name).file
        if found is None:
            layout.unused.add(file)
        else:
            _claim(found, split, layout, report)
            layout.own[found] = file
    return True


def _claim(file: Path, split: Split | None, layout: YoloLayout, report: Report) -> None:
    first = layout.images.setdefault(file, split)
    if first is not split:
        sentence = f"The image is in two splits; it stays in {first}."
        report.say("repaired", file.name, sentence, kind="images in two splits")


def text_lines(file: Path, name: str) -> list[str]:
    """The stripped lines of a list of names or paths. Refused if it is not text."""
    data = read_bytes(file, name)
    text = strict_text.decode(data, name)
    return [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


def from_obj_data(file: Path, root: Path, lookup: ImageLookup, report: Report) -> YoloLayout:
    """Read Darknet's obj.data: key = value lines; train and valid are lists of images, names a list of labels."""
    name = display_name(file, root)
    values: dict[str, tuple[str, int]] = {}
    for line, text in enumerate(text_lines(file, name), start=1):
        key, equals, value = text.partition("=")
        if equals:
            values[key.strip()] = (value.strip(), line)
        elif text and not text.startswith("#"):
            report.say("refused", name, f"'{text[:60]}' is not of the form 'key = value'; it was left out.", line)
    layout = YoloLayout(whole=True)
    if "names" in values and (listed := _resolve(file.parent, values["names"][0])):
        layout.names = names_in(listed, root)
    else:
        layout.names = names_below(root, root)
    keys: dict[Path, str] = {}
    for key in ("train", "valid"):
        if key not in values:
            continue
        target = _resolve(file.parent, values[key][0])
        if target is None:
            report.say("refused", name, f"There is no '{values[key][0]}' for {key}; it was left out.", values[key][1])
        elif target in keys:
            report.say("read", name, f"{key} is the same list as {keys[target]}; it was read once.", values[key][1])
        else:
            keys[target] = key
            _add(target, SPLIT_WORDS[key], file.parent, lookup, layout, report)
    if not layout.images and not layout.listed:
        line = min((values[key][1] for key in ("train", "valid") if key in values), default=1)
        raise Refused(name, "neither its train nor its valid list was found inside the data set's folder", line)
    return layout


def from_folders(path: Path, root: Path, lookup: ImageLookup) -> YoloLayout:
    """Without a description: every image that has a label file, and the images beside those."""
    return YoloLayout(
        names=names_below(path, root), images={f: split_of_folders(unpacked(f), root) for f in lookup.files}
    )


def names_below(path: Path, root: Path) -> tuple[str, ...] | None:
    """The names by the lists in a data set's folders, or None. Refused if two lists differ."""
    every = files_below(root, (*NAME_FILES, ".names"))
    listed = [f for f in every if f.name.lower() in NAME_FILES or f.suffix.lower() == ".names"]
    found = [f for f in listed if f.suffix.lower() != ".txt" or not is_label_file(f)]
    lists = {names_in(f, root): f for f in reversed(found)}
    if len(lists) > 1:
        files = " and ".join(sorted(display_name(f, root) for f in lists.values())[:3])
        raise Refused(path, f"{files} are different lists of names; remove the wrong one or choose a data.yaml")
    return next(iter(lists), None)


def names_in(file: Path, root: Path) -> tuple[str, ...]:
    """One name per line; empty lines at the end don't count."""
    name = display_name(file, root)
    lines = text_lines(file, name)
    while lines and not lines[-1]:
        lines.pop()
    return tuple(_label(text, name, line) for line, text in enumerate(lines, start=1))


def read_keypoints(file: Path) -> int:
    """How many numbers follow each box by the data.yaml `file`; 0 for a list of names. Refused if it can't be read."""
    is_yaml = file.suffix.lower() in (".yaml", ".yml")
    return _keypoints(strict_yaml.parse(read_bytes(file, file.name), file.name)) if is_yaml else 0


def read_names(file: Path) -> tuple[str, ...]:
    """The names in a data.yaml or in a list of names, by number. Refused if it can't be read."""
    if file.suffix.lower() in (".yaml", ".yml"):
        return _yaml_names(strict_yaml.parse(read_bytes(file, file.name), file.name), file.name, Report(True))
    return names_in(file, file.parent)


def is_label_file(file: Path) -> bool:
    """Whether a txt may be a label file: by its name or, if it is named like a list, by its content.

    Images may also be called test.jpg or classes.jpg. Their label files begin with five numbers; if empty or damaged,
    they are recognised by an image in the matching place.
    """
    if file.name.lower() not in (*NAME_FILES, *_LIST_FILES):
        return True
    try:
        with file.open("rb") as stream:
            words = strict_text.beginning(stream.read(4096)).split(b"\n")
    except OSError:
        return False
    first = next((line.decode("utf-8", "replace").split() for line in words if line.strip()), [])
    if len(first) >= 5 and all(parse_number(word) is not None for word in first):
        return True
    places = [place for place, part in enumerate(file.parts[:-1]) if part.lower() in LABEL_FOLDERS][-1:]
    beside = [] if first else [file.parent]  # a list may lie beside an image with its name
    homes = [
        Path(*file.parts[:i], word, *file.parts[i + 1 : -1]) for i in places for word in folder_spellings(IMAGE_FOLDERS)
    ]
    return any(_has_image(home, file.stem) for home in [*beside, *homes])


def _has_image(folder: Path, stem: str) -> bool:
    try:
        names = [os.path.splitext(name) for name in os.listdir(folder)]
    except OSError:
        return False
    return any(name == stem and suffix.lower() in IMAGE_SUFFIXES for name, suffix in names)


def folder_spellings(words: tuple[str, ...]) -> Iterator[str]:
    """LABEL_FOLDERS or IMAGE_FOLDERS as they are spelt on disk."""
    for word in words:
        yield word
        yield word.capitalize()
    if words is IMAGE_FOLDERS:
        yield "JPEGImages"
