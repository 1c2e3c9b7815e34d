"""Which run orders the images to label if none is chosen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ui.inspect.inspect_page_driver import make_run, session_fixture
from workbench.inference.suggesting import image_queue
from workbench.inference.suggesting.image_queue import RankingRequest
from workbench.training.records.runs import RECIPE
from workbench.ui.images.image_queues import QueueJobRequest, compute_queue
from workbench.ui.session import Session

__all__ = ["session_fixture"]


def test_a_run_that_has_learnt_from_all_images_comes_before_newer_ones_of_a_cross_validation(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.document is not None
    make_run(session, "whole", 1.0)
    (make_run(session, "cells-fold-1", 2.0) / RECIPE).write_text("[training]\nfolds = 2\nfold = 1\n")
    asked: list[str] = []

    def build_queue(request: RankingRequest) -> Iterator[object]:
        asked.append(request.run_folder.name)
        yield from ()

    monkeypatch.setattr(image_queue, "build_queue", build_queue)
    list(compute_queue(QueueJobRequest(session.document.folder, session.document.runs_folder, None)))
    assert asked == ["whole"]
