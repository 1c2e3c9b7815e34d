"""Files of weights that attack: nothing of them runs, none ends the process or fills the memory, each is refused with
a reason or is sound.

Control: torch.load as it was for years, which runs them.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.promises.form import times
from tests.promises.hostile_weights import files
from tests.promises.reading_child import readings

CHILD, TRUSTING = "tests.promises.weights_child", "tests.promises.trusting_child"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks; Linux counts their memory"),
    pytest.mark.filterwarnings("ignore:.*quantiz"),
]


@pytest.fixture(scope="module")
def attacks(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path]:
    """The files, and the canary that what runs makes."""
    folder = tmp_path_factory.mktemp("weights")
    (where := folder / "files").mkdir()
    canary = folder / "ran"
    return files(where, canary, times(110, 1_000)), canary


def test_nothing_of_hostile_weights_runs_and_all_are_refused_or_sound(attacks: tuple[list[Path], Path]) -> None:
    every, canary = attacks
    found = list(readings("ours", every, module=CHILD))
    assert not canary.exists()
    assert len(found) == len(every)
    bad = [r for r in found if r.signal or "Error" in r.outcome or not r.outcome or r.peak >= 1 << 30]
    assert bad == []
    loaded = [reading for reading in found if reading.outcome == "loaded"]  # whatever it was used for
    assert not [r.file for r in loaded if not Path(r.file).name.startswith("damaged ")], "each attack is refused"
    kinds = Counter("".join(Path(reading.file).suffixes[-1:]) for reading in found)
    largest = max(found, key=lambda reading: reading.peak)
    print(
        f"\n{len(found):,} files ({', '.join(f'{n} {kind}' for kind, n in kinds.items())}): {len(found) - len(loaded)}"
        f" refused, {len(loaded)} sound, at most {largest.peak / 1e6:.0f} MB ({Path(largest.file).name}),"
        f" {max(r.seconds for r in found):.1f} s"
    )


def test_a_trusting_reader_runs_them(attacks: tuple[list[Path], Path]) -> None:
    every, canary = attacks
    running = [file for file in every if file.name.startswith(("os.system", "eval", "exec", "touch"))]
    assert len(list(readings("trusting", running, module=TRUSTING))) == len(running) >= 4
    assert canary.exists()
    canary.unlink()
