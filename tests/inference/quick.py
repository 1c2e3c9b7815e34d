"""What exporters do beyond writing a file, left out where the file is what matters; and the process that runs files."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import pytest
from torch._export.serde import serialize

from workbench.inference.exporters import onnx_file


@contextlib.contextmanager
def quick_exporters() -> Iterator[pytest.MonkeyPatch]:
    """Without the ONNX exporter's own optimising, a third of its time, which inference/exporting/test_exported.py has.

    Also without torch.export's look whether its file has a canonical form, a fifth of its time, which changes nothing
    in the file, and without its trace, an eighth, which is written as pytest asks for all messages.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_file, "OPTIMISED", False)
        patch.setattr(serialize, "canonicalize", lambda program, *_: program, raising=False)
        patch.setattr(logging.getLogger("torch.__trace"), "disabled", True)
        yield patch
