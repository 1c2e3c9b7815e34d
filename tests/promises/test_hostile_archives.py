"""Zips made to do harm: nothing is written outside the folder, nothing executed, no disk filled, and no time lost."""

from __future__ import annotations

import hashlib
import os
import random
import stat
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.core.parsing.crafted_zips import DESCRIPTOR, ENCRYPTED, UTF8, Entry, bomb, build, deflated
from tests.promises.form import times
from workbench.core.parsing import archives
from workbench.core.parsing.archives import unpack_folder, unpack_zip
from workbench.core.parsing.zip_reader import Limits
from workbench.errors import Refused, WorkbenchError

Unpack = Callable[[Path, Path], object]
FIRST = Entry("first.txt", b"harmless")
"""In front of each attack, so that something was written when it is come to."""
SECONDS = 2.0
DISK = 200 << 20


def by_hand(file: Path, into: Path) -> None:
    """The control: names joined to the folder as many programs do it."""
    with zipfile.ZipFile(file) as made:
        for about in made.infolist():
            target = into / about.filename
            if stat.S_ISLNK(about.external_attr >> 16):
                target.symlink_to(made.read(about).decode())
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(made.read(about))


# --- the attacks ---


def _unicode_path(raw: bytes, name: str) -> bytes:
    value = b"\x01" + zlib.crc32(raw).to_bytes(4, "little") + name.encode()
    return b"\x75\x70" + len(value).to_bytes(2, "little") + value


def _link(name: str, to: bytes, system: int = 3) -> Entry:
    return Entry(name, to, mode=stat.S_IFLNK | 0o777, system=system)


NAMES: tuple[str | bytes, ...] = (
    "../evil", "../../evil", "../../../../../../../../evil", "a/../../evil", "a/b/../../../evil", "./../evil", "..",
    "a/..", "../", "/evil", "//evil", " /evil", "..\\evil", "..\\..\\evil", "a\\..\\..\\evil",
    "\\evil", "a/..\\../evil", "C:\\evil", "C:evil", "c:/evil", "\\\\server\\share\\evil", "//server/share/evil",
    "\\\\?\\C:\\evil", ".. /evil", ".../evil", "evil\0.txt", "../evil\0.txt", "\0", "", ".", "./", "CON", "con.txt",
    "sub/NUL.jpg", "aux/a.jpg", "COM1", "LPT¹.txt", "CONOUT$", "evil.", "evil ", "dir./evil", "a\nb.txt", "\x1b[2J",
    "n" * 300, "/".join(["n" * 200] * 6), "/".join("d" * 200),
)  # fmt: skip


def crafted(outside: Path) -> dict[str, bytes]:
    """Attacks by more than a name; those by a link lead to `outside`."""
    to, over = str(outside).encode(), Entry("b.txt", b"x" * 100)
    return {
        "a link": build(FIRST, _link("door", to)),
        "a link that says to be of DOS": build(FIRST, _link("door", to, system=0)),
        "a link and a file through it": build(FIRST, _link("door", to), Entry("door/evil")),
        "a link to the folder above": build(FIRST, _link("door", b".."), Entry("door/evil")),
        "a pipe": build(FIRST, Entry("pipe", b"", mode=stat.S_IFIFO | 0o666)),
        "a device": build(FIRST, Entry("disk", b"", mode=stat.S_IFBLK | 0o666)),
        "a socket": build(FIRST, Entry("socket", b"", mode=stat.S_IFSOCK | 0o666)),
        "a folder that is a file": build(FIRST, Entry("x", b"", mode=stat.S_IFDIR | 0o755)),
        "a folder with bytes": build(FIRST, Entry("x/", b"bytes")),
        "a file, then a folder": build(FIRST, Entry("x"), Entry("x/y")),
        "a folder, then a file": build(FIRST, Entry("x/y"), Entry("x")),
        "twice": build(FIRST, Entry("x"), Entry("x", b"other")),
        "twice by separators": build(FIRST, Entry("x/y"), Entry("x\\y", b"other")),
        "twice by dots": build(FIRST, Entry("x/y"), Entry("x/./y", b"other")),
        "capitals": build(FIRST, Entry("x.txt"), Entry("X.txt", b"other")),
        "capitals of a folder": build(FIRST, Entry("x/a"), Entry("X/b")),
        "composed": build(FIRST, Entry("\u00e9"), Entry("e\u0301", b"other")),
        "encrypted": build(FIRST, Entry("x", flags=ENCRYPTED)),
        "encrypted by AES": build(FIRST, Entry("x", method=99)),
        "masked": build(FIRST, Entry("x", flags=1 << 13)),
        "another name at its place": build(FIRST, Entry("x.txt", local_name=b"../evil")),
        "a harmless name at its place": build(FIRST, Entry("../evil", local_name=b"x.txt")),
        "a folder that is a file at its place": build(FIRST, Entry("x\\", b"", local_name=b"x.txt")),
        "junk that is a file at its place": build(FIRST, Entry("Thumbs.db", local_name=b"x.txt")),
        "another name in Unicode": build(FIRST, Entry(b"x.txt", extra=_unicode_path(b"x.txt", "../evil"))),
        "overlong UTF-8": build(FIRST, Entry(b"..\xc0\xafevil", flags=UTF8)),
        "a bomb in a bomb's clothes": build(FIRST, Entry("x", bytes(20 << 20), method=8)),
        "a bomb that lies": build(FIRST, Entry("x", bytes(20 << 20), method=8, size=100)),
        "a size of 2^63": build(FIRST, Entry("x", size=1 << 63), zip64=True),
        "a packed size of 2^63": build(FIRST, Entry("x", packed_size=1 << 63), zip64=True),
        "a place of 2^63": build(FIRST, Entry("x", place=1 << 63), zip64=True),
        "one over the other": build(Entry("a.txt", packed_size=200, size=200), over),
        "the same bytes twice": build(Entry("a.txt"), Entry("b.txt", place=0, local_name=b"a.txt")),
        "at the same place": build(Entry("a.txt"), Entry("c.txt"), Entry("b.txt", place=0)),
        "over the directory": build(FIRST, Entry("x", packed_size=10, size=10)),
        "another checksum": build(FIRST, Entry("x", crc=1)),
        "another checksum, packed": build(FIRST, Entry("x", method=8, crc=1)),
        "longer than it says": build(FIRST, Entry("x", b"y" * 100, method=8, size=10, crc=zlib.crc32(b"y" * 10))),
        "shorter than it says": build(FIRST, Entry("x", b"y" * 100, method=8, size=1000)),
        "hidden bytes behind the end": build(FIRST, Entry("x", packed=deflated(b"label") + b"hidden", method=8)),
        "an end that is missing": build(FIRST, Entry("x", packed=deflated(b"y" * 9999)[:-3], method=8, size=9999)),
        "no deflate": build(FIRST, Entry("x", packed=b"\xff" * 50, method=8)),
        "no end": build(FIRST, Entry("x"))[:-1],
        "more behind the end": build(FIRST, Entry("x")) + b"more",
        "a directory elsewhere": build(FIRST, Entry("x"), shift=5),
        "a directory far away": build(FIRST, Entry("x"), shift=1 << 62, zip64=True),
        "too high a count": build(FIRST, Entry("x"), count=7),
        "a count of 2^62": build(FIRST, Entry("x"), count=1 << 62, zip64=True),
        "one part of several": build(FIRST, Entry("x"), disk=3),
        "bzip2": build(FIRST, Entry("x", method=12)),
        "an unknown method": build(FIRST, Entry("x", method=77)),
    }


def attacks(outside: Path) -> dict[str, bytes]:
    names = {f"{name!r:.40} {len(name)}": name for name in (*NAMES, f"{outside}/evil")}
    return {shown: build(FIRST, Entry(name)) for shown, name in names.items()} | crafted(outside)


# --- what is watched ---

_NEVER = ("os.chmod", "os.exec", "os.system", "os.posix_spawn", "subprocess.Popen", "os.fork", "os.symlink", "os.link")
_WRITES = ("os.mkdir", "os.rename", "os.truncate")
_allowed: Path | None = None
_seen: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook, for good: Python has no way to take one back. It looks only while something is allowed.

    What is not allowed is noted and kept from happening, so that the control harms nobody; links are only noted.
    """
    if _allowed is None:
        return
    if event in _NEVER:
        _seen.append(f"{event} {arguments}")
    elif event == "open":
        path, mode, flags = arguments
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if not writes or not isinstance(path, str | bytes | os.PathLike) or _is_inside(os.fsdecode(path)):
            return
        _seen.append(f"open {path!r} {mode!r}")
    elif event in _WRITES and not _is_inside(str(arguments[0])):
        _seen.append(f"{event} {arguments}")
    else:
        return
    if event != "os.symlink":
        raise PermissionError(f"kept from happening: {_seen[-1]}")


def _is_inside(path: str) -> bool:
    assert _allowed is not None
    return Path(os.path.realpath(path)).is_relative_to(_allowed)


sys.addaudithook(_watch)


@contextmanager
def watched(allowed: Path) -> Iterator[list[str]]:
    """What is opened for writing, made or renamed outside `allowed`, and all that is executed, linked or allowed."""
    global _allowed
    _seen.clear()
    _allowed = Path(os.path.realpath(allowed))
    try:
        yield _seen
    finally:
        _allowed = None


def tree(folder: Path) -> str:
    """A hash of all names, kinds and bytes below `folder`, but for the empty lock."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        if path.name != ".unpacking.lock":
            data = path.read_bytes() if stat.S_ISREG(about.st_mode) else b""
            found.update(f"{path} {stat.S_IFMT(about.st_mode)} {about.st_size * bool(data)}".encode() + data)
    return found.hexdigest()


def harm(data: bytes, home: Path, beside: Path, unpack: Unpack) -> str:
    """What `unpack` does wrong with this attack: "" if it refuses it in words and nothing is changed anywhere."""
    for name in ("project/imports", "work"):
        (home / name).mkdir(parents=True)
    (file := home / "attack.zip").write_bytes(data)
    before = tree(home), tree(beside)
    os.chdir(home / "work")
    with watched(home / "project" / "imports") as seen:
        try:
            unpack(file, home / "project" / "imports" / "attack")
            verdict = "taken"
        except Refused as error:
            told = error.sentence.startswith("attack.zip: ") and error.sentence.endswith(".") and len(error.reason) > 20
            verdict = "" if told and error.sentence.isprintable() else f"no sentence: {error.sentence}"
        except Exception as error:
            verdict = f"failed: {error!r}"
    if seen:
        return f"changed outside: {seen}"
    return verdict if (tree(home), tree(beside)) == before else f"changed: {verdict}"


def harms(folder: Path, unpack: Unpack) -> dict[str, str]:
    """What it does wrong with each attack."""
    (beside := folder / "beside").mkdir()
    made = attacks(beside)
    assert len(made) == len(NAMES) + 1 + len(crafted(beside)) >= 60
    return {name: harm(data, folder / f"{n}", beside, unpack) for n, (name, data) in enumerate(made.items())}


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the tests work, restored; what the disk does with the bytes is not their subject."""
    monkeypatch.chdir(os.getcwd())
    monkeypatch.setattr(archives, "sync_all", lambda: None)


def test_every_attack_is_refused_in_words_and_changes_nothing(tmp_path: Path) -> None:
    found = harms(tmp_path, unpack_zip)
    print(f"\n{len(found)} attacks: {list(found.values()).count('')} refused, nothing changed by them")
    assert not {name: wrong for name, wrong in found.items() if wrong}


def test_the_check_sees_what_a_careless_program_does(tmp_path: Path) -> None:
    found = harms(tmp_path, by_hand)
    outside = {name for name, wrong in found.items() if wrong.startswith("changed outside")}
    print(f"\ncontrol: {len(outside)} of {len(found)} wrote outside or made a link")
    assert {"'../../evil' 10", "'/evil' 5", "a link and a file through it"} <= outside
    assert all(found.values())


# --- bombs ---


def most_on_disk(file: Path, project: Path, limits: Limits) -> tuple[int, float, str]:
    """Bytes on disk at most while it was unpacked, seconds, and what was said."""
    most = 0

    def look() -> bool:
        nonlocal most
        most = max(most, sum(p.stat().st_blocks * 512 for p in project.rglob("*") if p.is_file()))
        return most > 2 * DISK  # enough to know

    begun = time.perf_counter()
    try:
        unpack_zip(file, unpack_folder(project, file), stopped=look, limits=limits)
        said = ""
    except WorkbenchError as error:
        said = error.sentence
    return most, time.perf_counter() - begun, said


@pytest.fixture(scope="module")
def gigabyte(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Zips of 1 MB that unpack to 1 GB: in one member, in one that lies, in 128 members of which none is suspect."""
    folder = tmp_path_factory.mktemp("bombs")
    packed, crc = bomb(1024)
    small, small_crc = bomb(8)
    made = {
        "one": build(Entry("x", packed=packed, method=8, crc=crc, size=1 << 30)),
        "one that lies": build(Entry("x", packed=packed, method=8, crc=crc, size=12 << 20)),
        "many": build(*(Entry(f"{n}", packed=small, method=8, crc=small_crc, size=8 << 20) for n in range(128))),
        "many that lie": build(*(Entry(f"{n}", packed=small, method=8, crc=small_crc, size=99) for n in range(128))),
    }
    for name, data in made.items():
        (folder / f"{name}.zip").write_bytes(data)
    return {name: folder / f"{name}.zip" for name in made}


@pytest.mark.parametrize("kind", ["one", "one that lies", "many", "many that lie"])
def test_a_gigabyte_in_a_megabyte_stops_early(tmp_path: Path, gigabyte: dict[str, Path], kind: str) -> None:
    file = gigabyte[kind]
    most, seconds, said = most_on_disk(file, tmp_path, Limits())
    print(f"\n{kind}: {file.stat().st_size:,} bytes, at most {most:,} on disk, {seconds:.2f} s: {said}")
    assert file.stat().st_size < 1.3 * (1 << 20)
    assert "like a zip bomb" in said
    assert most < DISK
    assert seconds < SECONDS
    assert not [p for p in tmp_path.rglob("*") if p.name not in ("imports", ".unpacking.lock")]


def test_without_limits_a_bomb_fills_the_disk(tmp_path: Path, gigabyte: dict[str, Path]) -> None:
    most, _, said = most_on_disk(gigabyte["one"], tmp_path, Limits(ratio=10**9))
    print(f"\ncontrol: {most:,} on disk: {said}")
    assert most > DISK


# --- damage at random ---

CONTENT = {
    "data.yaml": b"names: [cell]\nnc: 1\n", "labels/a.txt": b"0 0.5 0.5 0.25 0.25\n" * 40, "labels/leer.txt": b"",
    "images/Zürich 1.jpg": random.Random(5).randbytes(700), "images/b.jpg": random.Random(6).randbytes(90),
}  # fmt: skip


def sound_zips() -> list[bytes]:
    packed = [Entry(name, data, method=8) for name, data in CONTENT.items()]
    return [
        build(*packed, Entry("labels/", b"", mode=stat.S_IFDIR | 0o755)),
        build(*(Entry(name, data) for name, data in CONTENT.items()), comment=b"from a tool"),
        build(*(Entry(one.name, one.data, 8, flags=UTF8 | DESCRIPTOR) for one in packed)),
        build(*packed, zip64=True),
    ]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One to three things of a kind that damage and malice do; half of them in the directory, which all depends on."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        start = data.index(b"PK\1\2") if chance.random() < 0.5 else 0
        at = min(chance.randrange(start, len(data)), len(made) - 1)
        way = chance.choice((0, 0, 0, 0, 1, 2, 3, 4, 5, 6))
        if way == 0:
            made[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            made[at] = chance.choice((0, 1, 0x2F, 0x5C, 0x7F, 0x80, 0xFF))
        elif way == 2:
            made[at : at + 4] = chance.choice((bytes(4), b"\xff" * 4, b"PK\1\2", b"PK\3\4", chance.randbytes(4)))
        elif way == 3:
            del made[at : at + chance.randrange(1, 40)]
        elif way == 4:
            made[at:at] = chance.randbytes(chance.randrange(1, 40))
        elif way == 5:
            other = chance.randrange(len(made))
            made[at : at + 30] = made[other : other + 30]
        else:
            made = made[: max(at, 4)]
        if len(made) < 8:
            break
    return bytes(made)


def outcome(file: Path, folder: Path, unpack: Unpack) -> str:
    """ "refused", "sound" or what is wrong."""
    try:
        unpack(file, folder)
    except Refused as error:
        return "refused" if len(error.reason) > 20 else f"no reason: {error.sentence}"
    except Exception as error:
        return f"failed: {error!r}"
    inside = sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return "sound" if inside == sorted(CONTENT.values()) else "wrong bytes"


def after_mutations(folder: Path, count: int, unpack: Unpack) -> tuple[dict[str, int], float]:
    """How often each outcome, and the longest that one took, in seconds of the processor.

    Of the processor, because a disk that others write to may hold up a file of 1 kB for seconds.
    """
    zips, found, longest = sound_zips(), dict[str, int](), 0.0
    for number in range(count):
        chance = random.Random(number)
        file, home = folder / f"{number}.zip", folder / f"{number}"
        file.write_bytes(mutated(zips[number % len(zips)], chance))
        begun = time.process_time()
        with watched(home) as seen:
            what = outcome(file, home / "imports" / "labels", unpack)
        longest = max(longest, time.process_time() - begun)
        what = "outside" if seen else what
        found[what] = found.get(what, 0) + 1
    return found, longest


@pytest.mark.parametrize("number", range(4))
def test_sound_zips_are_sound(tmp_path: Path, number: int) -> None:
    (tmp_path / "a.zip").write_bytes(sound_zips()[number])
    assert outcome(tmp_path / "a.zip", tmp_path / "imports" / "a", unpack_zip) == "sound"


def test_a_mutated_zip_is_refused_in_words_or_unpacked_right(tmp_path: Path) -> None:
    count = times(200, 2000)
    found, longest = after_mutations(tmp_path, count, unpack_zip)
    print(f"\n{count} mutated zips: {found}, the slowest {longest:.3f} s of the processor")
    assert set(found) == {"refused", "sound"}
    assert longest < SECONDS


def test_a_reader_that_looks_at_no_checksum_gives_wrong_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile.ZipExtFile, "_update_crc", lambda *_: None)
    found, _ = after_mutations(tmp_path, 200, by_hand)
    print(f"\ncontrol: {found['wrong bytes']} of 200 were unpacked wrong")
    assert found["wrong bytes"] > 10
