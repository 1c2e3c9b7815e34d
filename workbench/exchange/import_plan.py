"""What an import would do: planned first, shown to the user, then done as a whole (importing.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench import formats
from workbench.core import formatting
from workbench.core.project import Split, State
from workbench.exchange.comparison import ChangedSide, ImageDifference
from workbench.exchange.matching import MatchedImage
from workbench.exchange.origins import Stamp
from workbench.formats import Reading, ReadSettings, Remark
from workbench.formats.parts.report import Report
from workbench.settings import setting

_RANK = (State.UNLABELLED, State.IN_WORK, State.DONE, State.VERIFIED)


@dataclass(frozen=True, slots=True)
class ImportSettings(ReadSettings):
    """What a person may decide about an import."""

    on_existing: str = setting(
        "update",
        "Images already labelled differently here: update takes the file's boxes where what an import brought was not"
        " changed here, and leaves and reports the others; refuse leaves and reports all, keep leaves all silently,"
        " replace takes the file's boxes instead, add adds those of the file's boxes that are not here",
        choices=("update", "refuse", "keep", "replace", "add"),
    )
    on_size: str = setting(
        "keep",
        "Annotations made at another size than the image file's: keep takes the pixels as they are, scale fits them",
        choices=("keep", "scale"),
    )
    splits: bool = setting(True, "Take the official splits; an image that already has a split in the project keeps it")


@dataclass(frozen=True)
class ImportPlan:
    """What an import would do. `images` pairs what was read with the project's image (id 0: to be added).

    `differences` covers the images that both sides describe, including identical ones; `stamps` identify the state of
    the files that were read; `compared` and `found` are what `replan` starts from. `names`: the project's labels by
    those of the files that a person says they are; `images` has the former, `reading` and `compared` the latter.
    """

    reading: Reading
    settings: ImportSettings
    images: tuple[MatchedImage, ...]
    new_labels: tuple[str, ...]
    remarks: tuple[Remark, ...]  # from reading and from comparing
    matched: int  # images of the project that would get boxes, a state or a split
    added: int  # image files that would be added to the project
    missing: int  # images whose file was not found: left out
    left: int  # images that differ from the file and are left as they are
    boxes: int  # boxes that would be added
    replaced: int  # boxes of the project that would be changed
    removed: int  # boxes of the project that would be removed
    differences: tuple[ImageDifference, ...] = ()
    stamps: Mapping[Path, Stamp] = field(default_factory=dict)
    compared: tuple[MatchedImage, ...] = ()  # all matched images, before deciding what to take from them
    found: tuple[Remark, ...] = ()  # remarks from matching, also part of `remarks`
    finished: int = 0  # images that would become done (or verified)
    new_splits: int = 0  # images of the project that would get a split
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not (self.boxes or self.matched or self.added or self.new_splits or self.new_labels)

    @property
    def alike(self) -> int:
        """How many images are the same in the project as in the file."""
        return sum(1 for one in self.differences if one.changed is ChangedSide.NOWHERE and not one.kept)

    @property
    def splits(self) -> dict[Split, int]:
        """How many images without a split would get which one."""
        fresh = [one.split for one in self.images if self.settings.splits and one.image.split is Split.NONE]
        return {split: fresh.count(split) for split in Split if split is not Split.NONE and split in fresh}

    @property
    def split_otherwise(self) -> int:
        """How many images of the project keep a split other than the file's."""
        splits = ({one.split, one.image.split} for one in self.images if one.split and self.settings.splits)
        return sum(len(both - {Split.NONE}) > 1 for both in splits)

    @property
    def sentence(self) -> str:
        """The plan in one sentence, for a person to agree to."""
        numbers = [(self.boxes, ""), (self.replaced, " changed"), (self.removed, " removed")]
        counts = [f"{formatting.count(count, 'box')}{word}" for count, word in numbers if count] or ["0 boxes"]
        images = formatting.count(self.matched + self.added, "image")
        what = f"{', '.join(counts)} in {images} ({self.added:,} new to the project)"
        if self.is_empty:
            what = "there is nothing to import"
        more = [f"{formatting.count(self.finished, 'image')} marked done"] if self.finished else []
        more += [formatting.count(len(self.new_labels), "new label")] if self.new_labels else []
        parts = [f"{count:,} {split}" for split, count in self.splits.items()]
        more += [f"official splits taken: {', '.join(parts)}"] if parts else []
        otherwise = formatting.count(self.split_otherwise, "image")
        more += [f"{otherwise} in another split here (kept)"] if self.split_otherwise else []
        if self.missing:
            where = "" if self.compared else " (choose the folder of the images, or add them to the project first)"
            more.append(f"{formatting.count(self.missing, 'image')} without a file left out{where}")
        more += [f"{formatting.count(self.alike, 'image')} the same already"] if self.alike else []
        more += [f"{self.left:,} labelled differently here, left as they are"] if self.left else []
        return "; ".join([f"{formats.formats.get(self.reading.format).title}: {what}", *more]) + "."


def gets_split(one: MatchedImage, settings: ImportSettings) -> bool:
    """Whether it is an image of the project without a split that gets the file's."""
    return bool(one.image.id and one.split and settings.splits and one.image.split is Split.NONE)


def _higher(one: State, other: State) -> State:
    """Whichever is closer to verified."""
    return max(one, other, key=_RANK.index)


def state_after(one: MatchedImage, counts: Mapping[int, int]) -> State:
    """The state of an image after the import; `counts`: the number of boxes by image id."""
    if not one.image.id:
        return one.state
    if not one.labelled or one.same:
        return one.image.state
    is_new = one.instead or not counts.get(one.image.id)
    state = one.state if is_new else _higher(one.image.state, State.IN_WORK)
    return state if one.instead or one.image.state is not State.VERIFIED else one.image.state


def choose(one: MatchedImage, difference: ImageDifference, on_existing: str, report: Report) -> MatchedImage | None:
    """How to import an image that has other boxes in the project; None: it is left as it is."""
    if difference.kept is not None:  # a partly read file does not lower the state
        one = replace(one, state=_higher(one.state, one.image.state))
        if difference.kept and on_existing != "keep":
            _tell_kept(one, difference.kept, report)
    if difference.changed is ChangedSide.NOWHERE:
        return replace(one, same=True)
    if on_existing == "add":
        if difference.twins:
            _tell_twins(one, difference, report)
        more = difference.others
        return replace(one, besides=more) if more else replace(one, same=True)
    if on_existing == "replace" or (on_existing == "update" and difference.changed is ChangedSide.FILE):
        more, other, gone = difference.more, difference.other, difference.gone
        return replace(one, instead=True, besides=more, other=other, gone=gone)
    if on_existing != "keep":
        _leave(one, difference, report)
    return None


def _leave(one: MatchedImage, difference: ImageDifference, report: Report) -> None:
    if difference.changed is ChangedSide.HERE:
        kind = "images changed here and not in the file, left as they are"
        report.say("read", one.image.path, f"{difference.sentence} It was left as it is.", kind=kind)
        return
    sentence = f"{difference.sentence} It was left as it is; choose to replace its boxes by the file's or to add those."
    report.say("refused", one.image.path, sentence, kind="images labelled differently here, left as they are")


def _tell_kept(one: MatchedImage, count: int, report: Report) -> None:
    sentence = (
        f"The file could not be read completely, so boxes that it lacks were kept: {formatting.count(count, 'box')}."
    )
    report.say(
        "read", one.image.path, sentence, kind="images whose file could not be read completely, no boxes removed"
    )


def _tell_twins(one: MatchedImage, difference: ImageDifference, report: Report) -> None:
    which = formatting.count(len(difference.twins), "box")
    sentence = f"The file has different marks or notes on {which}; those in the project were left as they are."
    report.say("read", one.image.path, sentence, kind="images with other marks or notes in the file, left as they are")
