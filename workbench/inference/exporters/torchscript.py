"""TorchScript: one file for PyTorch in C++ or Python, without the code of this program."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import ClassVar

from workbench.inference.exporters import Card, Source, register, torch_code


@register("torchscript")
class TorchScript:
    """A trace of the network with decoding and NMS. The NMS is an operation of torchvision, which must be imported."""

    title: ClassVar[str] = "TorchScript"
    summary: ClassVar[str] = "For PyTorch in C++ (LibTorch) or Python."
    file: ClassVar[str] = "model.torchscript"
    needs: ClassVar[tuple[str, ...]] = ()
    runtime: ClassVar[str] = "torchscript"
    flexible: ClassVar[bool] = True

    def write(self, source: Source, file: Path) -> str:
        import torch

        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about shapes treated as constants; they are: the input size is fixed
            traced = torch.jit.trace(source.graph, source.example, check_trace=False)  # type: ignore[no-untyped-call]
            # not to the file itself: if its disk fills up, PyTorch ends the whole process (an uncaught c10::Error)
            made = io.BytesIO()
            torch.jit.save(traced, made, _extra_files={"model.json": source.card.to_json()})
        file.write_bytes(made.getbuffer())
        return ""

    def code(self, card: Card) -> str:
        return torch_code(card, 'model = torch.jit.load(here / "model.torchscript")\n')
