"""PyTorch 2 export (.pt2): torch's own successor of TorchScript."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.inference.exporters import Arrays, Card, Run, Source, picture_code, register, result_code


@register("pt2")
class TorchExport:
    """The graph as torch.export sees it, with decoding and NMS."""

    title: ClassVar[str] = "PyTorch 2 export"
    summary: ClassVar[str] = "For torch.compile, AOTInductor and ExecuTorch."
    file: ClassVar[str] = "model.pt2"
    needs: ClassVar[tuple[str, ...]] = ()

    def write(self, source: Source, file: Path) -> str:
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(source.graph, (source.example,))
            torch.export.save(program, file, extra_files={"model.json": source.card.to_json()})
        return ""

    def opened(self, file: Path) -> Run:
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = torch.export.load(file).module()

        def run(image: NDArray[np.float32]) -> Arrays:
            with torch.no_grad():
                return tuple(tensor.numpy() for tensor in model(torch.from_numpy(image)))

        return run

    def code(self, card: Card) -> str:
        outputs = "boxes, scores, labels" if card.nms else "boxes, scores"
        return (
            picture_code(
                card, "import json, cv2, numpy as np, torch, torchvision  # torchvision holds the NMS operation"
            )
            + 'model = torch.export.load("model.pt2").module()\n'
            + f"{outputs} = (tensor.detach().numpy() for tensor in model(torch.from_numpy(tensor)))\n"
            + result_code(card)
        )
