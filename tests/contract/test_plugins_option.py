"""`pytest tests/contract --plugins DIR` passes a stranger's good plugin and fails a bad one by what it breaks."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import members
from workbench import plugins

HERE = Path(__file__).parent
QUICK = "says_what_it_is or verified_and_half or example_is_python or title_and_loses or odd_names"


class Outcomes:
    """What became of the tests of an inner run."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rpartition("::")[2]
        if report.failed:
            self.failed[name] = report.longreprtext
        elif report.when == "call" and report.passed:
            self.passed.add(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(plugins, "_loaded", plugins.loaded())  # an inner run sets it
    folder = tmp_path / "plugins"
    folder.mkdir()
    yield folder
    for file in folder.glob("*.py"):
        for registry in members.FAMILIES.values():
            registry.unregister_owner(file.name)


def held_against(folder: Path, tmp_path: Path) -> Outcomes:
    """In this process, as importing torch takes longer than all of it."""
    outcomes = Outcomes()
    files = [str(HERE / "test_each_exporter.py"), str(HERE / "test_every_format.py")]
    options = [
        members.OPTION,
        str(folder),
        "-k",
        QUICK,
        "-q",
        "-p",
        "no:cacheprovider",
        "--basetemp",
        str(tmp_path / "t"),
    ]
    code = pytest.main([*files, *options, "--basetemp", str(tmp_path / "inner")], plugins=[outcomes])
    assert code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    return outcomes


def shipped(name: str, *changes: tuple[str, str]) -> str:
    text = (plugins.shipped_folder() / name).read_text("utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return text


def test_good_plugins_pass_and_bad_ones_fail_by_what_they_break(folder: Path, tmp_path: Path) -> None:
    renamed = ('register("csv")', 'register("mine")'), ('Reading("csv"', 'Reading("mine"')
    (folder / "good_format.py").write_text(shipped("csv_boxes.py", *renamed))
    (folder / "good_exporter.py").write_text(shipped("numpy_npz.py", ('register("npz")', 'register("mine")')))
    lost = "if name != exporters.KEY}", 'if name != exporters.KEY and "out" not in name}'
    forgets = "if odd:", "if not arrays:"
    loose = (
        "detector.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})",
        ("detector.load_state_dict({n: torch.from_numpy(a) for n, a in arrays.items()}, strict=False)"),
    )
    bad = shipped("numpy_npz.py", ('register("npz")', 'register("bad")'), lost, forgets, loose)
    (folder / "bad_exporter.py").write_text(bad)
    (folder / "bad_format.py").write_text(
        shipped("csv_boxes.py", ('register("csv")', 'register("bad")'), ("name = snapshot", "name = 'x' + snapshot"))
    )
    found = held_against(folder, tmp_path)
    exporting = "test_its_file_is_verified_and_half_of_it_and_another_network_s_are_refused"
    reading = "test_odd_names_of_labels_come_back"
    assert found.passed >= {f"{exporting}[mine]", f"{reading}[mine]", "test_it_says_what_it_is[bad]"}
    assert set(found.failed) == {f"{exporting}[bad]", f"{reading}[bad]"}
    assert "does not find the same as this program" in found.failed[f"{exporting}[bad]"]
    assert not [name for name in found.passed if "[" not in name or name.partition("[")[2] not in ("mine]", "bad]")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no plugin"),
        ("import workbench.api", "it must say API = 1"),
        ("raise RuntimeError('of a stranger')", "RuntimeError: of a stranger"),
        ("import workbench.api\nAPI = 1", "broken.py can't be tested: It registered nothing."),
    ],
)
def test_a_folder_that_can_t_be_loaded_is_said_before_any_test(
    text: str, said: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text:
        (folder / "broken.py").write_text(textwrap.dedent(text))
    options = [members.OPTION, str(folder), "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "t")]
    assert pytest.main([str(HERE / "test_each_exporter.py"), *options]) == pytest.ExitCode.USAGE_ERROR
    told = capsys.readouterr()
    assert said in told.out + told.err
