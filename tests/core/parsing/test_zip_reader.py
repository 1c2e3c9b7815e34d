"""Each fault of a zip is refused in its own words, and sound bytes are read; what attacks do is in tests/promises."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.parsing.crafted_zips import DESCRIPTOR, ENCRYPTED, Entry, build, deflated
from workbench.core.parsing.archives import UnpackingStopped
from workbench.core.parsing.zip_reader import LIMITS, Limits, open_zip
from workbench.errors import Refused

FIRST = Entry("first.txt")


def read(
    folder: Path, data: bytes, limits: Limits = LIMITS, stopped: Callable[[], bool] = lambda: False
) -> dict[str, bytes]:
    """The members of the zip and their bytes."""
    (folder / "some.zip").write_bytes(data)
    with open_zip(folder / "some.zip", limits, stopped) as reader:
        return {member.path: b"".join(reader.chunks(member)) for member in reader.members}


def changed(data: bytes, what: bytes, to: bytes, number: int = -1) -> bytes:
    """With `to` in place of the `number`-th `what`."""
    parts = data.split(what)
    place = number % (len(parts) - 1) + 1
    return what.join(parts[:place]) + to + what.join(parts[place:])


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Entry("x", mode=stat.S_IFLNK | 0o777), "is a link"),
        (Entry("x", b"", mode=stat.S_IFIFO | 0o666), "is a device or a pipe, not a file"),
        (Entry("x", b"", mode=stat.S_IFDIR | 0o755), "is a file and a folder at once"),
        (Entry("x/", b"bytes"), "is a file and a folder at once"),
        (Entry("x/", b"", mode=stat.S_IFREG | 0o644), "is a file and a folder at once"),
        (Entry("x", flags=ENCRYPTED), "is encrypted"),
        (Entry("x", flags=1 << 6), "is encrypted"),
        (Entry("x", flags=1 << 13), "is encrypted"),
        (Entry("../x", flags=ENCRYPTED), "leads outside the folder"),
        (Entry("x", method=9), "is packed by Deflate64, which is not supported"),
        (Entry("x", method=12), "is packed by bzip2"),
        (Entry("x", method=14), "is packed by LZMA"),
        (Entry("x", method=93), "is packed by Zstandard"),
        (Entry("x", method=95), "is packed by xz"),
        (Entry("x", method=98), "is packed by PPMd"),
        (Entry("x", method=77), "is packed by method 77"),
        (Entry("x", place=5000), "lies outside the zip"),
        (Entry("x", packed_size=5000, size=5000), "lies outside the zip"),
        (Entry("x", size=6), "has two sizes"),
        (Entry("x", crc=1), "is damaged: its checksum is wrong"),
        (Entry("x", method=8, size=6), "is damaged: its checksum is wrong"),
        (Entry("x", method=8, size=4), "unpacks to more than the zip says"),
        (Entry("x", packed=b"\xff" * 50, method=8), "is damaged: it can't be unpacked"),
        (Entry("x", packed=deflated(b"label")[:-2], method=8), "is damaged: it has no end"),
        (Entry("x", packed=deflated(b"label") + b"more", method=8), "continues after its end"),
        (Entry("x", local_name=b"y"), "is described twice in different ways"),
        (Entry("x", packed_size=20, size=20), "lies over another one"),
        (Entry("x", place=0), "lies over another one"),
    ],
)
def test_a_member_that_is_not_as_it_should_be_says_why(tmp_path: Path, entry: Entry, words: str) -> None:
    with pytest.raises(Refused, match=f"the member '[^']*' {words}"):
        read(tmp_path, build(FIRST, entry))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (changed(build(FIRST, Entry("x")), b"PK\1\2", b"PK\1\3"), "its directory is not readable"),
        (build(FIRST, count=2), "its directory is incomplete"),
        (build(FIRST, disk=1), "it is one part of several"),
        (build(FIRST, shift=1), "its directory is not where it says"),
        (build(FIRST)[:-1], "its end is missing"),
        (build(FIRST) + b"more", "its end is missing"),
        (changed(build(FIRST, zip64=True), b"PK\6\6", b"PK\6\5"), "its end is missing"),
        (changed(build(FIRST, zip64=True), b"\1\0\x18\0", b"\2\0\x18\0"), "a size is missing"),
        (changed(build(FIRST, Entry("x")), b"PK\3\4", b"PK\3\5"), "is not where the zip says"),
        (changed(build(FIRST), b"PK\3\4\x14\0\0\x08", b"PK\3\4\x14\0\1\x08"), "is described twice in different ways"),
        (changed(build(FIRST), b"PK\3\4\x14\0\0\x08\0", b"PK\3\4\x14\0\0\x08\x08"), "is described twice"),
        (build(Entry(b"\xff", flags=1 << 11)), "is not text"),
    ],
)
def test_a_zip_that_is_damaged_says_where(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        read(tmp_path, data)


def test_sound_members_come_in_the_order_of_their_places(tmp_path: Path) -> None:
    entries = (
        Entry("b.txt", b"", method=8), Entry("a/", b""), Entry("a/c.txt", b"y" * 3_000_000, method=8),
        Entry("d.txt", b"z" * 3_000_000), Entry("e.txt", flags=DESCRIPTOR), Entry("f.txt", b"last", method=8),
    )  # fmt: skip
    wanted = {one.raw.decode().rstrip("/"): one.data for one in entries}
    for zip64 in (False, True):
        found = read(tmp_path, build(*entries, zip64=zip64, comment=b"PK\5\6 is no end here" + bytes(60_000)))
        assert list(found.items()) == list(wanted.items())


def test_members_with_comments_and_fields_of_their_own_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as made:
        for name in ("a.txt", "b.txt"):
            member = zipfile.ZipInfo(name)
            member.comment, member.extra = b"seen twice", b"\x99\x99\2\0ab"
            made.writestr(member, name)
    data = (tmp_path / "made.zip").read_bytes()
    assert read(tmp_path, data) == {"a.txt": b"a.txt", "b.txt": b"b.txt"}
    with pytest.raises(Refused, match="its directory is not readable"):  # the last comment is longer than what is left
        read(tmp_path, changed(data, b"\x0a\0\0\0\0\0", b"\x0b\0\0\0\0\0"))


def test_the_longest_comment_is_no_trouble(tmp_path: Path) -> None:
    assert read(tmp_path, build(FIRST, comment=bytes(0xFFFF))) == {"first.txt": b"label"}


@pytest.mark.parametrize(("ratio", "unsuspected", "refused"), [(0, 99, True), (0, 100, False), (1, 99, False)])
def test_only_much_that_comes_of_very_little_is_a_bomb(
    tmp_path: Path, ratio: int, unsuspected: int, refused: bool
) -> None:
    """100 bytes of 100: suspected above `unsuspected` bytes, and then if they are more than `ratio` for each."""
    zipped, limits = build(Entry("x", bytes(100))), Limits(ratio=ratio, unsuspected=unsuspected)
    if refused:
        with pytest.raises(Refused, match=f"unpacks to more than {ratio} times its size"):
            read(tmp_path, zipped, limits)
    else:
        assert read(tmp_path, zipped, limits) == {"x": bytes(100)}


def test_it_can_be_stopped_while_the_directory_is_read_and_between_pieces(tmp_path: Path) -> None:
    large = build(Entry("x", bytes(3 << 20)))  # three pieces
    for number in range(4):
        asked = iter([False] * number + [True])
        with pytest.raises(UnpackingStopped):
            read(tmp_path, large, stopped=asked.__next__)
    calls: list[bool] = []
    many = build(*(Entry(f"{n}.txt", b"") for n in range(2001)))  # which have no pieces
    read(tmp_path, many, stopped=lambda: bool(calls.append(True)))
    assert len(calls) == 3, "for each thousand members"


def test_as_many_members_as_allowed_are_read(tmp_path: Path) -> None:
    entries = [Entry(f"{n}.txt") for n in range(3)]
    assert len(read(tmp_path, build(*entries), Limits(members=3))) == 3
    with pytest.raises(Refused, match="more than 2 members"):
        read(tmp_path, build(*entries), Limits(members=2))
