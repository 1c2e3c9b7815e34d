"""PyTorch 2 export (.pt2): torch's own successor to TorchScript."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import ClassVar

from workbench.inference.exporters import Card, Source, register, torch_code


@register("pt2")
class TorchExport:
    """The graph from torch.export, with decoding and NMS."""

    title: ClassVar[str] = "PyTorch 2 export"
    summary: ClassVar[str] = "For torch.compile, AOTInductor and ExecuTorch."
    file: ClassVar[str] = "model.pt2"
    needs: ClassVar[tuple[str, ...]] = ()
    runtime: ClassVar[str] = "pt2"
    flexible: ClassVar[bool] = True

    def write(self, source: Source, file: Path) -> str:
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # not to the file itself: if its disk fills up, PyTorch ends the whole process (an uncaught c10::Error)
            made = io.BytesIO()
            torch.export.save(source.program, made, extra_files={"model.json": source.card.to_json()})
        file.write_bytes(made.getbuffer())
        return ""

    def code(self, card: Card) -> str:
        return torch_code(card, 'model = torch.export.load(here / "model.pt2").module()\n')
