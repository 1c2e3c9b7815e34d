"""When the runs are listed on the Train page: after each change, during a training a few times a second."""

from __future__ import annotations

import pytest

from tests.ui.train.runs.run_list_driver import Bench, bench
from tests.ui.train.train_page_driver import session
from workbench.training.records import run_actions, runs
from workbench.ui.train.runs.run_work import RunListRequest, list_runs

__all__ = ["bench", "session"]  # fixtures


@pytest.fixture
def listed(bench: Bench) -> list[object]:
    """What is listed from now on."""
    heard: list[object] = []
    bench.run_actions.listed.connect(heard.append)
    return heard


def test_what_was_listed_before_a_deletion_is_not_shown_after_it(bench: Bench, listed: list[object]) -> None:
    request = RunListRequest(bench.folder, False, 0)
    before = list_runs(request)
    bench.run_actions.delete([runs.info(bench.folder / "other")])
    bench.run_actions._list.done.emit(request, before)
    assert listed == []
    bench.wait_for("tiny-10", "tiny-2")


def test_what_was_listed_is_shown_though_it_is_to_be_listed_again(bench: Bench, listed: list[object]) -> None:
    """Of many runs the list never came while a small training reported faster than they were read."""
    request = RunListRequest(bench.folder, False, 0)
    bench.run_actions.list_runs()
    bench.run_actions._list.done.emit(request, list_runs(request))
    assert len(listed) == 1


def test_what_was_listed_while_a_run_was_trained_is_not_shown_once_that_has_ended(
    bench: Bench, listed: list[object]
) -> None:
    request = RunListRequest(bench.folder, False, 0)
    before = list_runs(request)
    bench.run_actions.list_runs(outdated=True)
    bench.run_actions._list.done.emit(request, before)
    assert listed == []


def test_the_menu_of_deleted_runs_stays_as_it_is_while_no_other_is_deleted(bench: Bench) -> None:
    """It was made anew with each listing, also while it was open: what was clicked was another entry, or none."""
    bench.run_actions.delete([runs.info(bench.folder / "other")])
    bench.wait_for("tiny-10", "tiny-2")
    before = bench.runs.trash.actions()
    with bench.qtbot.waitSignal(bench.run_actions.listed):
        bench.run_actions.list_runs()
    assert bench.runs.trash.actions() == before
    bench.run_actions.delete([runs.info(bench.folder / "tiny-2")])
    bench.wait_for("tiny-10")
    assert len(bench.runs.trash.actions()) == len(before) + 1


def test_what_is_in_the_trash_for_thirty_days_goes_with_a_listing(bench: Bench) -> None:
    deleted = run_actions.delete(bench.folder / "other")
    old = bench.folder / ".trash" / "1000000000000000000"  # of 2001
    deleted.folder.parent.rename(old)
    bench.run_actions.list_runs()
    bench.wait_for("tiny-10", "tiny-2")
    bench.qtbot.waitUntil(lambda: not old.exists())
