"""Names of images that not every system can hold are changed, and no others are."""

from __future__ import annotations

import pytest

from workbench.core.folders.portable_names import portable


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("con.jpg", "con-.jpg"),
        ("d/Aux.tar.png", "d/Aux-.tar.png"),
        ("lpt1 /x.jpg", "lpt1-/x.jpg"),
        ("a:b.jpg", "a-b.jpg"),
        ("e .jpg", "e.jpg"),
        ("fol./y.jpg", "fol/y.jpg"),
        ("k\x01l.jpg", "k-l.jpg"),
        ("../../x.jpg", "x.jpg"),
        ("d//./x.jpg", "d/x.jpg"),
        ("", "image"),
        ("x" * 300 + ".jpg", "x" * 80 + ".jpg"),
    ],
)
def test_what_a_system_cannot_hold_is_changed(path: str, name: str) -> None:
    assert portable(path) == name
    assert portable(name) == name


@pytest.mark.parametrize(
    "path", ["a.jpg", "d/IMG_0001 (2).JPG", "construct.jpg", "comet/com.jpg", ".hidden.jpg", "ü/🐈.png", "x.y/z.w.jpg"]
)
def test_every_other_name_stays(path: str) -> None:
    assert portable(path) == path
