"""Plugins load one by one, a bad one harms no other, and a stranger's runs only after consent to exactly that file."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import __main__, cli, console, detectors, formats, plugins
from workbench.errors import WorkbenchError
from workbench.exchange import recognise
from workbench.ui.data.importing import work

SHIPPED = plugins.shipped_folder()
GOOD = '''"""A good one."""
from workbench.api import formats
API = 1
@formats.register("mine")
class Mine:
    title, cannot_store = "Mine", frozenset()
    sniff = read = places = write = lambda *given: 0
'''


def _of_plugins() -> list[str]:
    return [name for name in formats.formats.names() if formats.formats.owner(name) != "built in"]


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """Those that the program ships come back: other tests of the same process look for them."""
    shipped = "csv" in _of_plugins()
    yield
    for name in _of_plugins():
        if name in formats.formats:  # not yet gone with another one of its file
            formats.formats.unregister_owner(formats.formats.owner(name))
    if shipped:
        plugins.load_trusted(SHIPPED)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's plugin folder, empty; no shipped ones."""
    monkeypatch.setattr(plugins, "user_folder", lambda: tmp_path)
    monkeypatch.setattr(plugins, "shipped_folder", lambda: tmp_path / "none")
    return tmp_path


def test_the_shipped_examples_load_and_register() -> None:
    detectors.load_all()  # plugins that import PyTorch wait for this
    loaded = {plugin.name: plugin for plugin in plugins.load_all()}
    assert loaded["csv_boxes"].members == ("csv",)
    assert loaded["darknet_cfg"].members == ("darknet-cfg",)
    assert loaded["numpy_npz"].members == ("npz",)
    assert {plugin.state for plugin in loaded.values()} == {"loaded"}


def test_the_csv_table_of_another_program_is_read_with_empty_lines_and_corners_in_any_order(tmp_path: Path) -> None:
    plugins.load_all()
    text = "file,width,height,label,x0,y0,x1,y1\r\n\r\na.png,9,8,cat,7,6,2,3\r\n\r\n"
    (tmp_path / "boxes.csv").write_text(text)
    reading = formats.load_all().get("csv").read(tmp_path)
    assert [box.xyxy for box in reading.images[0].boxes] == [(2, 3, 7, 6)]
    assert [(remark.level, remark.line) for remark in reading.remarks] == [("repaired", 3)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"""One line."""', "One line."),
        (
            '# SPDX-License-Identifier: MIT\nr"""Boxes of a paper\n(Nobody 2026).\n\nMore."""',
            "Boxes of a paper (Nobody 2026).",
        ),
        ("import this", ""),
        ("this is not python", ""),
    ],
)
def test_what_a_plugin_is_about_is_the_first_paragraph_of_its_docstring(folder: Path, text: str, said: str) -> None:
    (folder / "mine.py").write_text(text)
    assert [plugin.about for plugin in plugins.load_all()] == [said]


def test_a_strangers_plugin_runs_only_after_a_yes_and_asks_again_when_changed(folder: Path) -> None:
    file = folder / "stranger.py"
    file.write_text(GOOD)
    (folder / "._stranger.py").write_bytes(b"\0\5\x16\7")  # what a Mac leaves beside it on a USB stick
    assert [(p.state, p.about) for p in plugins.load_all()] == [("asks", "A good one.")]
    assert "mine" not in formats.formats
    plugins.allow(plugins.load_all()[0])
    assert [p.members for p in plugins.load_all()] == [("mine",)]
    file.write_text(GOOD + "#")
    (changed,) = plugins.load_all()
    assert (changed.state, changed.problem.partition(".")[0]) == ("asks", "It was changed since you allowed it")


def test_a_plugin_that_stumbles_over_a_file_is_not_in_the_way_of_its_own_format(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "stranger.py").write_text(GOOD.replace("*given: 0", "*given: 1 / 0"))
    plugins.allow(plugins.load_all()[0])
    plugins.load_all()
    (tmp_path / "a.csv").write_text("filename,width,height,class,xmin,ymin,xmax,ymax\n")
    with pytest.raises(ZeroDivisionError):
        formats.formats.get("mine").sniff(tmp_path)
    assert [name for name, _ in formats.recognise(tmp_path)] == ["tfcsv"]
    assert "The format mine of stranger.py could not look at" in caplog.text
    (tmp_path / "empty").mkdir()
    with pytest.raises(WorkbenchError, match="The plugin stranger.py could not look at it: ZeroDivisionError"):
        recognise(tmp_path / "empty")
    in_the_window = work.unclear_format(tmp_path / "empty").sentence
    assert "The plugin stranger.py could not look at it: ZeroDivisionError: division by zero." in in_the_window


def test_a_plugin_that_gives_no_number_for_a_file_is_not_in_the_way_either(folder: Path, tmp_path: Path) -> None:
    (folder / "stranger.py").write_text(GOOD.replace("*given: 0", "*given: None"))
    plugins.allow(plugins.load_all()[0])
    plugins.load_all()
    assert formats.recognise(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "reason"),
    [("ENOSPC", "the disk is full. Make room"), ("EDQUOT", "quota is used up"), ("EROFS", "the disk is read-only")],
)
def test_a_disk_that_a_plugins_plain_open_finds_full_is_not_its_authors_fault(
    number: str, reason: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(plugins, "_loaded", None)
    failing = f"(_ for _ in ()).throw(OSError({getattr(errno, number)}, 'as the system says'))"
    (folder / "stranger.py").write_text(GOOD.replace("*given: 0", f"*given: {failing}"))
    plugins.allow(plugins.find("stranger"))
    assert cli.main(["new", str(tmp_path / "p")]) == console.DONE
    capsys.readouterr()
    assert cli.main(["export-labels", str(tmp_path / "p"), str(tmp_path / "out"), "--format", "mine"]) == console.FAILED
    said = " ".join(capsys.readouterr().err.split())
    assert f"{tmp_path / 'out'} could not be written: " in said
    assert reason in said
    assert "author" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["import", "export-labels"])
@pytest.mark.parametrize("answer", ["1 / 0", "0"])
def test_a_plugin_that_fails_ends_in_a_sentence_that_names_it(
    command: str, answer: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """It was a traceback, as after an error in Workbench, and whoever read it did not know whom to tell."""
    monkeypatch.setattr(plugins, "_loaded", None)
    (folder / "stranger.py").write_text(GOOD.replace("*given: 0", f"*given: {answer}"))
    plugins.allow(plugins.find("stranger"))
    assert cli.main(["new", str(tmp_path / "p")]) == console.DONE
    capsys.readouterr()
    place = tmp_path / ("p" if command == "import" else "out")
    assert cli.main([command, str(tmp_path / "p"), str(place), "--format", "mine"]) == console.FAILED
    said = " ".join(capsys.readouterr().err.split())
    what = "read" if command == "import" else "write"
    assert f"workbench: The plugin stranger.py could not {what} {place}: " in said
    assert "ZeroDivisionError: division by zero (stranger.py, line 7)" in said or answer == "0"
    assert "Nothing was changed. Tell the plugin's author" in said
    assert "Traceback" in caplog.text
    assert not (tmp_path / "out").exists()


def test_a_name_of_a_plugin_that_did_not_run_is_said_to_be_its_and_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "_loaded", None)
    file = folder / "stranger.py"
    file.write_text(GOOD)
    plugins.allow(plugins.find("stranger"))
    file.write_text(GOOD + "#")
    plugins.loaded()
    with pytest.raises(WorkbenchError) as unknown:
        formats.load_all().get("mine")
    assert "The plugin stranger.py provides it, but did not run. It was changed since you" in unknown.value.sentence
    assert unknown.value.sentence.endswith("See Help > Plugins, or: workbench plugins --allow stranger.py")
    with pytest.raises(WorkbenchError, match="ask to run are not among them: stranger.py. See Help > Plugins"):
        formats.load_all().get("zebra")
    with pytest.raises(WorkbenchError, match="ask to run are not among them: stranger.py."):
        recognise(folder)


def test_a_server_lists_allows_and_forgets_on_the_command_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "stranger.py"
    file.write_text(GOOD)

    def told(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(plugins, "_loaded", None)  # each command is a separate process
        code = cli.main(["plugins", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    assert json.loads(told("--json")[1])["plugins"][0]["state"] == "asks to run"
    assert told("--allow", str(folder / "elsewhere" / "stranger.py"))[0] == console.FAILED
    assert "mine" not in formats.formats
    code, out, err = told("--allow", "stranger.py")
    assert (code, "loaded" in out, f"Allowed, as it is now: {file}" in err) == (console.DONE, True, True)
    assert f"Your own belong in {folder}" in err
    assert "mine" in formats.formats
    file.write_text(GOOD.replace("API = 1", ""))
    assert "asks to run" in told()[1], "it was changed"
    code, _, err = told("--allow", "stranger")
    assert (code, "stranger.py is allowed, but does not run: " in err) == (console.FAILED, True)
    assert "asks to run" in told("--forget", "stranger.py")[1]
    assert not plugins.is_allowed(plugins.find("stranger.py"))


def test_detectors_are_listed_with_a_word_on_plugins_that_ask(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plugins, "_loaded", None)
    (folder / "stranger.py").write_text(GOOD)
    assert cli.main(["detectors"]) == console.DONE
    assert "Plugins that ask to run are not among them: stranger.py." in capsys.readouterr().err


def test_what_its_author_tests_is_not_replaced_by_a_plugin_of_that_name_in_the_user_s_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "_loaded", None)
    (folder / "same.py").write_text(GOOD.replace('"Mine"', '"Old"'))
    plugins.allow(plugins.load_all()[0])
    tested = folder / "tested"
    tested.mkdir()
    (tested / "same.py").write_text(GOOD)
    assert [plugin.file for plugin in plugins.load_trusted(tested)] == [tested / "same.py"]
    plugins.loaded()  # as the tests do that are collected
    assert formats.formats.get("mine").title == "Mine"


@pytest.mark.parametrize(
    "text",
    [
        "raise RuntimeError('no')",
        "this is not python",
        GOOD.replace("API = 1", "API = 99"),
        "import missing_thing",
        f"{GOOD}raise SystemExit('it needs a licence')",
    ],
)
def test_a_bad_plugin_is_named_and_leaves_nothing_behind(folder: Path, text: str) -> None:
    (folder / "bad.py").write_text(text)
    (folder / "good.py").write_text(GOOD.replace("mine", "other"))
    for plugin in plugins.load_all():
        plugins.allow(plugin)
    bad, good = plugins.load_all()
    assert (bad.state, good.state) == ("failed", "loaded")
    assert bad.problem
    assert "mine" not in formats.formats


def test_a_copy_of_a_shipped_one_takes_its_place_once_it_is_allowed(folder: Path) -> None:
    """It was listed as loaded, and the shipped one ran."""
    shipped, own = folder / "none" / "same.py", folder / "same.py"
    shipped.parent.mkdir()
    shipped.write_text(GOOD.replace('"Mine"', '"Shipped"'))
    own.write_text(GOOD)

    def states() -> tuple[dict[Path, str], str]:
        there = {plugin.file: plugin.state for plugin in plugins.load_all()}
        return there, formats.formats.get("mine").title

    assert states() == ({shipped: "loaded", own: "asks"}, "Shipped")
    plugins.allow(plugins.find("same"))
    assert states() == ({own: "loaded"}, "Mine")
    own.write_text("raise RuntimeError")
    plugins.allow(plugins.find("same"))
    assert states() == ({shipped: "loaded", own: "failed"}, "Shipped")


def test_a_plugin_that_asks_for_the_programs_formats_first_and_fails_takes_none_away(folder: Path) -> None:
    (folder / "first.py").write_text("from workbench.api import formats\nformats.load_all()\nraise RuntimeError")
    code = (
        "import pathlib; from workbench import formats, plugins\n"
        f"(first,) = plugins.load_trusted(pathlib.Path({str(folder)!r}))\n"
        "print(first.state, *sorted({formats.formats.owner(name) for name in formats.load_all().names()}))\n"
        "print(*formats.formats.names())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert told[0] == "failed built in csv_boxes.py"
    assert {"coco", "voc", "yolo"} <= set(told[1].split())


@pytest.mark.parametrize("how", ["started", "by the command line"])
def test_safe_mode_loads_none_and_each_says_so(folder: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "good.py").write_text(GOOD)
    plugins.allow(plugins.load_all()[0])
    if how == "started":
        monkeypatch.setenv("WORKBENCH_SAFE_MODE", "")  # so that it is taken away again
        monkeypatch.setattr(sys, "argv", ["workbench", "--safe-mode", "--version"])
        assert __main__.main() == 0
    if how == "by the command line":
        monkeypatch.setenv("WORKBENCH_SAFE_MODE", "")
        assert cli.main(["--safe-mode", "--version"]) == 0
    (good,) = plugins.load_all()
    assert (good.state, good.members) == ("off", ())
    assert "--safe-mode" in good.problem
    assert "mine" not in formats.formats


@pytest.fixture
def package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package with a plugin in one of its modules."""
    site = folder / "site"
    inside = site / "strange_package"
    inside.mkdir(parents=True)
    (inside / "__init__.py").write_text('"""Boxes of a stranger."""\n')
    (inside / "boxes.py").write_text(GOOD)
    about = site / "strange_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[workbench.plugins]\nboxes = strange_package.boxes\n")
    monkeypatch.syspath_prepend(str(site))
    yield inside
    for name in [one for one in sys.modules if one.startswith("strange_package")]:
        del sys.modules[name]


def test_a_package_s_entry_point_runs_only_after_a_yes_to_all_of_its_files(package: Path) -> None:
    (asks,) = plugins.load_all()
    assert (asks.name, asks.state, asks.about) == ("strange-package", "asks", "Boxes of a stranger.")
    assert "strange_package" not in sys.modules, "nothing of it has run"
    plugins.allow(asks)
    (good,) = plugins.load_all()
    assert (good.state, good.members) == ("loaded", ("mine",))
    assert formats.formats.owner("mine") == "strange-package"
    (package / "more.py").write_text("")
    assert [plugin.state for plugin in plugins.load_all()] == ["asks"], "another file came"
