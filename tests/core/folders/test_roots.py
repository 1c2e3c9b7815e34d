"""Images of folders that lie in one another: each file is in a project once, under the root that it belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.making import picture
from workbench.core.document import Document
from workbench.core.files import absolute
from workbench.core.folders.roots import locate
from workbench.core.project import Image
from workbench.errors import WorkbenchError


def photographs(folder: Path) -> Path:
    for name in ("a.png", "May/b.png", "May/late/c.png", "Maybe/d.png"):
        picture(folder / name)
    return folder


def paths(document: Document) -> list[tuple[str, str]]:
    roots = document.roots()
    return [(roots[image.root].name, image.path) for image in document.images()]


def test_a_folder_below_a_root_adds_what_is_new_to_that_root(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "all")
    with Document.create(tmp_path / "p", folder) as document:
        assert document.add_folder(folder / "May") is None
        picture(folder / "May/new.png")
        assert document.add_folder(folder / "May") is not None
        assert paths(document)[-1] == ("all", "Maybe/d.png")
        assert ("all", "May/new.png") in paths(document)
        assert len(document.images()) == 5
        assert len(document.roots()) == 1
        assert all(document.file(image).is_file() for image in document.images())


def test_a_folder_above_a_root_adds_the_rest(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "all")
    with Document.create(tmp_path / "p", folder / "May") as document:
        new = document.add_described(folder, [Image(0, name) for name in ("a.png", "May/b.png", "Maybe/d.png")])
        assert len(new) == 2
        assert sorted(paths(document)) == [
            ("May", "b.png"), ("May", "late/c.png"), ("all", "Maybe/d.png"), ("all", "a.png"),
        ]  # fmt: skip
        assert document.add_folder(folder) is None
        document.undo()
        assert len(document.images()) == 2


def test_a_folder_told_by_two_dots_is_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photographs(tmp_path / "all")
    with Document.create(tmp_path / "p", folder) as document:
        monkeypatch.chdir(tmp_path / "p")
        assert document.add_folder(Path("../all")) is None
        assert document.add_folder(Path("../p/../all/May")) is None
        assert list(document.roots().values()) == [folder]
        (root,) = document.roots()
        picture(tmp_path / "more/x.png")
        document.add_folder(Path("../more"))
        with pytest.raises(WorkbenchError, match="already a folder of this project"):
            document.move_root(root, Path("../more"))
    with Document.open(Path("../p"), read_only=True) as document:
        assert document.folder == tmp_path / "p"
    # a ".." behind a link leads to where the link does
    (tmp_path / "link").symlink_to(tmp_path / "all" / "May", target_is_directory=True)
    assert absolute(tmp_path / "link" / ".." / "May") == tmp_path / "all" / "May"
    assert absolute(tmp_path / "link" / "late") == tmp_path / "link" / "late", "a link stays as it was told"


def test_the_nearest_root_takes_them_and_the_project_keeps_what_lies_in_it() -> None:
    roots = {1: Path("/photos"), 2: Path("/photos/May"), 3: Path("/photos/p/frames"), 4: Path("/photos/late")}
    images = [
        Image(1, "May/b.png", root=1),
        Image(2, "c.png", root=2),
        Image(3, "x.png", root=3),
        Image(4, "y", root=4),
    ]

    def at(folder: str) -> tuple[str, str, set[str]]:
        found = locate(Path(folder), Path("/photos/p"), roots, images)
        return str(found.root), found.before, set(found.known)

    assert at("/photos/May/late") == ("/photos/May", "late/", set())
    assert at("/photos/May") == ("/photos/May", "", {"b.png", "c.png"})
    assert at("/photos/Maybe") == ("/photos", "Maybe/", set())
    assert at("/photos/p/frames/ride") == ("/photos/p/frames", "ride/", set())
    assert at("/photos/p/clips") == ("/photos/p/clips", "", set()), "not relative to what may move without the project"
    assert at("/") == ("/", "", {"photos/May/b.png", "photos/May/c.png", "photos/p/frames/x.png", "photos/late/y"})
