"""What the help page says of the accuracy beside other trainers was measured: its table is that of accuracy.json."""

from __future__ import annotations

from statistics import mean

from tests.benchmarks import accuracy, choosing


def test_the_page_has_the_table_of_what_was_measured() -> None:
    assert accuracy.page() == choosing.PAGE.read_text("utf-8")


def test_nobody_had_more_processor_time() -> None:
    spent = [one["cpu_seconds"] for one in accuracy.results().values()]
    assert max(spent) < 1.05 * accuracy.BUDGET


def test_three_seeds_on_blood_cells_reach_what_was_promised() -> None:
    rows = accuracy.rows_of("bccd", "workbench")
    assert len(rows) >= 3
    assert mean(one["ap50"] for one in rows) >= 0.87
    assert mean(one["ap"] for one in rows) >= 0.53


def test_cheetahs_are_found_better_than_by_both_others() -> None:
    (ours,) = accuracy.rows_of("cheetah", "workbench")
    for who in ("yolov8n", "ssdlite"):
        (theirs,) = accuracy.rows_of("cheetah", who)
        assert ours["ap50"] > theirs["ap50"]
        assert ours["ap"] > theirs["ap"]


def test_the_spread_is_the_farthest_from_the_mean() -> None:
    assert accuracy.spread([0.5]) == "0.500"
    assert accuracy.spread([0.5, 0.6, 0.55]) == "0.550 ± 0.050"
