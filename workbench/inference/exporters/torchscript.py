"""TorchScript: one file for PyTorch in C++ or Python, without the code of this program."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.inference.exporters import Arrays, Card, Run, Source, picture_code, register, result_code


@register("torchscript")
class TorchScript:
    """A trace of the network with decoding and NMS. The NMS is an operation of torchvision, which must be imported."""

    title: ClassVar[str] = "TorchScript"
    summary: ClassVar[str] = "For PyTorch in C++ (LibTorch) or Python."
    file: ClassVar[str] = "model.torchscript"
    needs: ClassVar[tuple[str, ...]] = ()

    def write(self, source: Source, file: Path) -> str:
        import torch

        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of shapes taken as constants, which they are: the input size is fixed
            traced = torch.jit.trace(source.graph, source.example, check_trace=False)  # type: ignore[no-untyped-call]
            torch.jit.save(traced, str(file), _extra_files={"model.json": source.card.to_json()})
        return ""

    def opened(self, file: Path) -> Run:
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.jit.load(str(file))  # type: ignore[no-untyped-call]

        def run(image: NDArray[np.float32]) -> Arrays:
            with torch.no_grad():
                return tuple(tensor.numpy() for tensor in loaded(torch.from_numpy(image)))

        return run

    def code(self, card: Card) -> str:
        outputs = "boxes, scores, labels" if card.nms else "boxes, scores"
        return (
            picture_code(
                card, "import json, cv2, numpy as np, torch, torchvision  # torchvision holds the NMS operation"
            )
            + 'model = torch.jit.load("model.torchscript")\n'
            + f"{outputs} = (tensor.detach().numpy() for tensor in model(torch.from_numpy(tensor)))\n"
            + result_code(card)
        )
