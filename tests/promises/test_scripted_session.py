"""The user's images after a whole session: not one byte of one file changed, none touched, nothing new beside them.

labelImg (#382) has written labels over a photograph.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot

from tests.promises.form import full
from tests.promises.whole_session import WholeSession
from tests.ui.window_driver import Open
from workbench.core.document import Document
from workbench.core.project import XYXY
from workbench.ui.annotate.box_commands import BoxCommands

WIDTH, HEIGHT = 160, 120
LOCKED = "locked"
"""The folder below the photographs that can't be written, nor its files."""
Files = dict[str, tuple[str, int, int]]
"""By path: SHA-256, time of the last change in nanoseconds, mode. Folders have no hash, but a time."""
VOC = """<annotation><filename>{name}</filename>
<size><width>160</width><height>120</height><depth>3</depth></size>
<object><name>plate</name><bndbox><xmin>20</xmin><ymin>30</ymin><xmax>90</xmax><ymax>100</ymax></bndbox></object>
</annotation>
"""


@pytest.fixture
def photographs(tmp_path: Path) -> Iterator[Path]:
    """JPEG, also turned, PNG, TIFF of 16 bits, WebP, GIF with three pictures; some locked, two with labels beside."""
    folder = tmp_path / "photographs"
    (folder / LOCKED).mkdir(parents=True)

    def noise(number: int) -> PillowImage.Image:
        return PillowImage.fromarray(np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))

    noise(0).save(folder / "a.jpg")
    for orientation, name in ((6, "b turned.jpg"), (3, f"{LOCKED}/c turned.jpg")):
        exif = PillowImage.Exif()
        exif[0x0112] = orientation
        noise(orientation).save(folder / name, exif=exif)
    noise(1).save(folder / "d.png")
    sixteen = np.random.default_rng(2).integers(200, 4000, (HEIGHT, WIDTH)).astype(np.uint16)
    for name in ("e.tif", f"{LOCKED}/f.tif"):
        assert cv2.imwrite(str(folder / name), sixteen)
    noise(3).save(folder / "g.webp")
    noise(4).save(folder / "h.gif", save_all=True, append_images=[noise(5), noise(6)])
    noise(7).save(folder / LOCKED / "i.png")
    for name in ("a.jpg", "d.png"):
        (folder / name).with_suffix(".xml").write_text(VOC.format(name=name))
    for file in (folder / LOCKED).iterdir():
        file.chmod(0o444)
    (folder / LOCKED).chmod(0o555)
    yield folder
    (folder / LOCKED).chmod(0o755)


def files_of(folder: Path) -> Files:
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        about = path.stat()
        digest = "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.relative_to(folder).as_posix()] = digest, about.st_mtime_ns, stat.S_IMODE(about.st_mode)
    return found


def changes(before: Files, after: Files) -> list[str]:
    """What is not as it was."""
    said = [f"{name} is new" for name in after if name not in before]
    for name, (digest, time, mode) in before.items():
        now = after.get(name)
        if now is None:
            said.append(f"{name} is gone")
        elif now != (digest, time, mode):
            said.append(f"{name}: {'other bytes' if now[0] != digest else 'touched'}")
    return said


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_image_is_changed_by_a_whole_session(qtbot: QtBot, open_window: Open, photographs: Path) -> None:
    before = files_of(photographs)
    day = WholeSession(qtbot, open_window, photographs)
    seen = day.look_at_thumbnails()
    assert seen == 9
    day.set_levels()
    day.draw()
    day.choose_in_the_gallery()
    day.check_the_data()
    day.split()
    day.import_labels()
    exports = [day.export_labels("voc", copy=False), day.export_labels("yolo", copy=True)]
    if full:
        exports.append(day.export_labels("coco", copy=True))
    day.cluster()
    day.train()
    day.inspect()
    day.export_weights()
    day.come_back()
    assert changes(before, files_of(photographs)) == []
    for folder in exports[1:]:  # copies are files of their own: writing to one can't reach the original
        copies = [file for file in folder.rglob("*") if file.suffix in (".jpg", ".png", ".tif", ".webp", ".gif")]
        assert len(copies) >= 9
        inodes = {os.stat(photographs / name).st_ino for name in before}
        assert not any(file.is_symlink() or file.stat().st_ino in inodes for file in copies)
    images = sum(1 for name in before if not name.endswith((".xml", LOCKED, ".")))
    print(
        f"\n{images} images and {len(before) - images} other entries of their folder after a whole session: the same"
        f" SHA-256, time and mode, nothing new; {len(exports)} exports, one training"
    )


# --- controls: sessions that write must be seen ---


def over_the_image(file: Path) -> None:
    """As labelImg did."""
    file.write_text("<annotation/>", encoding="utf-8")


def touched(file: Path) -> None:
    os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns + 1000))


def beside_the_image(file: Path) -> None:
    file.with_suffix(".thumb").write_bytes(b"")


@pytest.mark.parametrize("fault", [None, over_the_image, touched, beside_the_image])
def test_a_session_that_writes_where_the_images_are_is_seen(
    qtbot: QtBot,
    open_window: Open,
    photographs: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Path], None] | None,
) -> None:
    """The control: one drawn box is enough, and without a fault it is not."""
    add = BoxCommands.add

    def careless(commands: BoxCommands, image: int, xyxy: XYXY, label: int) -> None:
        add(commands, image, xyxy, label)
        document: Document | None = commands._session.document
        if fault is not None and document is not None:
            fault(document.file(document.image(image)))

    monkeypatch.setattr(BoxCommands, "add", careless)
    before = files_of(photographs)
    day = WholeSession(qtbot, open_window, photographs)
    hand = day.hand()
    hand.draw((10, 10), (60, 50))
    hand.type_label("cell")
    day.window.close()
    assert bool(changes(before, files_of(photographs))) is (fault is not None)
