"""What every exporter keeps: it says what it is, its file is verified, damage is refused, its example is Python."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inference import small
from tests.inference.quick import quick_exporters
from workbench.inference import exporters
from workbench.inference.exporters import DECODED, Exporter, ExportSettings, Source
from workbench.inference.exporting.export import example, source_of
from workbench.inference.exporting.runtimes import RuntimeProcess
from workbench.inference.exporting.verification import VerificationError, noise_samples, verify

FAMILY = "exporters"


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with quick_exporters():
        yield


@pytest.fixture(scope="module")
def source() -> Source:
    return source_of(small.predictor("yolov1-tiny"), ExportSettings(output=DECODED))


@pytest.fixture
def member(name: str) -> Exporter:
    found = exporters.load_all().get(name)()
    missing = [package for package in found.needs if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} is not installed")
    return found


def test_it_says_what_it_is(name: str, member: Exporter) -> None:
    assert member.title
    assert member.summary.endswith(".")
    assert Path(member.file).name == member.file
    assert member.file.startswith("model.")


def test_its_file_is_verified_and_half_of_it_and_another_network_s_are_refused(
    name: str, member: Exporter, source: Source, process: RuntimeProcess, tmp_path: Path
) -> None:
    file = tmp_path / member.file
    images = noise_samples(source.card.input_px)[:1]
    member.write(source, file)
    (tmp_path / "any.txt").touch()
    assert file.stat().st_mode == (tmp_path / "any.txt").stat().st_mode, "others may read it as any file"
    verified = verify(name, member, file, source, images, process)
    assert verified.agreement is not None, "a format whose file can't be read back can't be called exported"
    assert verified.agreement.holds
    other = small.predictor("yolov2-tiny")
    with pytest.raises(VerificationError, match="not kept"):
        verify(name, member, file, source_of(other, ExportSettings(output=DECODED)), images, process)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(VerificationError, match="not kept"):
        verify(name, member, file, source, images, process)


def test_its_example_is_python_and_does_without_this_program(name: str, member: Exporter, source: Source) -> None:
    tree = ast.parse(example(member, source.card))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert names
    assert not [one for one in names if one.partition(".")[0] == "workbench"]
