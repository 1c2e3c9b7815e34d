"""Images of users are decoded in one place: nothing else hands their names or bytes to a decoder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import workbench

PACKAGE = Path(workbench.__file__).parent
BY_NAME = {
    "imread",
    "imreadmulti",
    "VideoCapture",
    "QImageReader",
    "QMovie",
    "decode_image",
    "decode_png",
    "read_image",
}
"""Whatever is given: OpenCV dies of names that are not UTF-8, torchvision of damaged PNGs, Qt takes half a JPEG."""
ALLOWED = {
    "core/decoding/video.py": {"VideoCapture"},  # it checks the name first
    "inference/pictures/webcam.py": {"VideoCapture"},  # a number, and no file
    "core/decoding/jpeg.py": {"imdecode"},
    "core/images.py": {"imdecode", "open"},
    "ui/start/welcome_cards.py": {"QImage"},  # a picture of the program's own
}


def decoding(source: str) -> Iterator[str]:
    """The decoders that are called in a file, by their names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torchvision.io"):
            yield "torchvision.io"
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = (
            node.func.value.id if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) else ""
        )
        if name in BY_NAME or name == "imdecode" or (name == "open" and owner in ("Image", "PillowImage")):
            yield name
        first = node.args[0] if node.args else None
        if name in ("QImage", "QPixmap") and len(node.args) == 1 and _is_name(first):
            yield name


def _is_name(argument: ast.expr | None) -> bool:
    """Whether it is written like a file's name: a text, str(...) or something called so."""
    words = ast.unparse(argument) if argument is not None else ""
    return words.startswith(("str(", "os.fspath(", "'", "f'")) or words.endswith(("path", "file", "name"))


def test_users_images_are_decoded_in_one_place() -> None:
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE).as_posix()
        found = set(decoding(file.read_text(encoding="utf-8")))
        assert found == ALLOWED.get(place, set()), f"{place} decodes by {found}"


def test_each_way_to_decode_a_file_is_noticed() -> None:
    for call in (
        "cv2.imread(path)", "cv2.VideoCapture(name)", "cv2.imdecode(data, 1)", "torchvision.io.decode_image(data)",
        "from torchvision.io import decode_png", "QImage(str(file))", "QPixmap(path)", "QImageReader(x)",
        "Image.open(stream)", "QImage('a.png')",
    ):  # fmt: skip
        assert list(decoding(call)), call
    assert not list(decoding("QImage(pixels.data, 1, 1, 4, QImage.Format.Format_RGB32); open(file); QPixmap(12, 12)"))
