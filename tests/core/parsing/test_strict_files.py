"""XML, JSON and YAML from strangers: bombs and traps are refused at once, with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.core.folders.image_lookup import ImageLookup, MatchKind
from workbench.core.parsing import strict_json, strict_xml, strict_yaml
from workbench.errors import Refused

LAUGHS = "<?xml version='1.0'?>\n<!DOCTYPE lolz [\n<!ENTITY lol 'lol'>\n" + "\n".join(
    f"<!ENTITY lol{n} '{f'&lol{n - 1 or str()};' * 10}'>" for n in range(1, 10)
) + "]>\n<lolz>&lol9;</lolz>"  # fmt: skip


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (LAUGHS, 2), ("<a>\n" * 20, 17), ("<a>&x;</a>", 1), ("<a>\n<b></a>", 2),
        ("<?xml version='1.0' encoding='x'?><a/>", 1),
    ],
)  # fmt: skip
def test_hostile_xml_is_refused_with_its_line(document: str, line: int) -> None:
    with pytest.raises(Refused) as caught:
        strict_xml.parse(document.encode(), "f")
    assert caught.value.line == line


@pytest.mark.parametrize("encoding", ["GB2312", "gbk", "Big5", "Shift_JIS", "EUC-KR", "iso-8859-1", "utf-8"])
def test_xml_is_read_in_the_encoding_that_it_declares(encoding: str) -> None:
    name = {"iso-8859-1": "Käse", "EUC-KR": "고양이"}.get(encoding, "山")
    document = f"<?xml version='1.0' encoding='{encoding}'?>\n<a>\n<b>{name}</b></a>".encode(encoding)
    (child,) = strict_xml.parse(document, "f").children
    assert (child.text, child.line) == (name, 3)


def test_xml_that_is_not_in_the_encoding_that_it_declares_is_refused_with_its_line() -> None:
    with pytest.raises(Refused) as caught:
        strict_xml.parse(b"<?xml version='1.0' encoding='gbk'?>\n<a>\n\xff\xff</a>", "f")
    assert caught.value.sentence == "f:3: its text is not gbk, as declared; save it as UTF-8"


def test_xml_of_more_than_8_mb_is_refused() -> None:
    with pytest.raises(Refused, match="bytes"):
        strict_xml.parse(b"<a>" + b" " * (8 << 20) + b"</a>", "f")


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ('{"a": 1,\n"a": 2}', 2), ('["NaN",\n\nNaN]', 3), ("[\n" * 100_000, 65), ("[1,\n2", 2),
        ("[" + "9" * 5000 + "]", 1), ("", 1),
    ],
)  # fmt: skip
def test_hostile_json_is_refused_with_its_line(document: str, line: int) -> None:
    with pytest.raises(Refused) as caught:
        strict_json.parse(document.encode(), "f")
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ("a: 1\nb: &x [1]", 2), ("a: 1\nb: *x", 2), ("a: 1\na: 2", 2), ("? [1]\n: 2", 1),
        ("a: " + "[" * 50 + "]" * 50, 1), ("- 1", 1), ("", 1), ("a: [", 1), ("a: \x07", 1),
    ],
)  # fmt: skip
def test_hostile_yaml_is_refused_with_its_line(document: str, line: int) -> None:
    with pytest.raises(Refused) as caught:
        strict_yaml.parse(document.encode(), "f")
    assert caught.value.line == line


def test_yaml_runs_nothing_and_changes_no_word() -> None:
    table = strict_yaml.parse(b"a: !!python/object/apply:os.system ['x']\nb: no\nc: 3.0", "f")
    assert (table["b"].text, table["c"].text) == ("no", "3.0")


@pytest.mark.parametrize(
    "name",
    ["../x.jpg", "a/../../x.jpg", "/x.jpg", "..\\x.jpg", "C:\\x.jpg", "C:x.jpg", "\\\\host\\share\\x.jpg",
     "x.jpg\0.png", "", ".", "..", "//x.jpg", "link/x.jpg"],
)  # fmt: skip
def test_no_name_finds_an_image_outside_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "x.jpg").write_bytes(b"")
    (tmp_path / "set" / "link").symlink_to(tmp_path)
    lookup = ImageLookup([tmp_path / "set"])
    assert lookup.find(name).file is None
    assert lookup.beside(name) is None


def test_an_image_is_found_by_the_folders_that_agree(tmp_path: Path) -> None:
    for name in ("a/x.jpg", "b/x.jpg", "b/y.PNG", "z.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    lookup = ImageLookup([tmp_path])
    assert lookup.find("b/x.jpg").kind is MatchKind.EXACT
    assert lookup.find("C:\\old\\b\\x.jpg").file == tmp_path / "b/x.jpg"
    assert lookup.find("x.jpg").kind is MatchKind.AMBIGUOUS
    assert lookup.find("x.jpg", near=["a"]).file == tmp_path / "a/x.jpg"
    assert lookup.find("elsewhere/y").file == tmp_path / "b/y.PNG"
    assert lookup.find("none.jpg").kind is MatchKind.MISSING


@pytest.mark.parametrize(
    ("document", "closing"), [('{"a": 1,}', "}"), ("[1,\n [2, 3 , ]\n]", "]"), ('{"a": [],\n\n}', "}")]
)
def test_a_comma_behind_the_last_value_is_said_to_be_one(document: str, closing: str) -> None:
    with pytest.raises(Refused) as caught:
        strict_json.parse(document.encode(), "f")
    assert caught.value.reason == f"not valid JSON: there is a comma before the closing {closing}; remove it"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"[1,, 2]", "Expecting value"),
        (b'["a,}\n"]', "Invalid control character"),
        (b'["a,\n}"]', "Invalid control character"),
    ],
)
def test_a_comma_elsewhere_is_no_such_comma(document: bytes, problem: str) -> None:
    with pytest.raises(Refused, match=f"not valid JSON: {problem}"):
        strict_json.parse(document, "f")


def test_xml_in_another_encoding_than_it_says_is_told_to_be() -> None:
    """As Windows' programs write it: it was called not well-formed."""
    for start in (b"", b"<?xml version='1.0' encoding='UTF-8'?>"):
        with pytest.raises(Refused, match=r"^f:2: the text is not UTF-8; save it as UTF-8$"):
            strict_xml.parse(start + b"<a>\nZ\xfcrich</a>", "f")
    read = strict_xml.parse(b"<?xml version='1.0' encoding='iso-8859-1'?><a>Z\xfcrich</a>", "f")
    assert read.text == "Z\u00fcrich"
    with pytest.raises(Refused, match="not well-formed XML"):
        strict_xml.parse(b"<?xml version='1.0' encoding='iso-8859-1'?><a>Z\xfcrich", "f")


def test_of_two_files_that_an_export_would_call_the_same_none_is_taken(tmp_path: Path) -> None:
    """The first was, whichever was meant."""
    for number, name in enumerate(("e .jpg", "e\x01.jpg", "f .jpg")):
        (tmp_path / name).write_bytes(bytes([number]))
    lookup = ImageLookup([tmp_path])
    assert lookup.find("e.jpg").kind is MatchKind.AMBIGUOUS
    assert lookup.find("f.jpg").file == tmp_path / "f .jpg"
