"""Paths on standard input, however they are encoded, separated and cut into pieces."""

from __future__ import annotations

import io
import sys

import pytest

from workbench.inference.pictures import standard_input

NAMES = ["a.png", "b c/ä.png", "long name of a picture.png", "d.png"]


def typed_in(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))


@pytest.mark.parametrize("chunk", [6, 7, 1_000])
@pytest.mark.parametrize("separator", ["\n", "\r\n", "\0"])
def test_names_are_whole_wherever_the_input_is_cut(separator: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first piece has the first separator."""
    monkeypatch.setattr(standard_input, "_CHUNK", chunk)
    for text in (separator.join(NAMES), separator.join([*NAMES, "", ""])):
        typed_in(monkeypatch, text.encode())
        assert list(standard_input.names()) == NAMES
        assert list(standard_input.names()) == NAMES, "again"


def test_a_mark_of_utf_8_is_no_part_of_the_first_name(monkeypatch: pytest.MonkeyPatch) -> None:
    typed_in(monkeypatch, "\ufeffä.png\nb.png\n".encode())
    assert list(standard_input.names()) == ["ä.png", "b.png"]


def test_a_name_that_is_no_utf_8_is_that_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    typed_in(monkeypatch, b"\xe4.png\n")
    assert [name.encode("utf-8", "surrogateescape") for name in standard_input.names()] == [b"\xe4.png"]


def test_another_input_is_another_job(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for text in (b"a.png\n", b"b.png\n", b"a.png\n"):
        typed_in(monkeypatch, text)
        found.append(standard_input.digest())
    assert found[0] == found[2] != found[1]
