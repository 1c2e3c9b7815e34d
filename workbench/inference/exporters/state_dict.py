"""PyTorch state dict (.pt): the bare weights as PyTorch saves them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import ClassVar

from workbench.inference.exporters import Card, Source, register


@register("state-dict")
class StateDict:
    """Loads with weights_only=True: no code in it is run."""

    title: ClassVar[str] = "PyTorch state dict"
    summary: ClassVar[str] = "Only the weights, for your own PyTorch code."
    file: ClassVar[str] = "model.pt"
    needs: ClassVar[tuple[str, ...]] = ()
    runtime: ClassVar[str] = "state-dict"

    def write(self, source: Source, file: Path) -> str:
        import torch

        tensors = {name: tensor.detach().cpu() for name, tensor in source.detector.state_dict().items()}
        made = io.BytesIO()  # PyTorch's own error does not say that the disk is full
        torch.save({"state_dict": tensors, "model.json": source.card.to_json()}, made)
        file.write_bytes(made.getbuffer())
        return ""

    def code(self, card: Card) -> str:
        return """import pathlib

import torch

saved = torch.load(pathlib.Path(__file__).parent / "model.pt", weights_only=True)
print(saved["model.json"])
for name, tensor in saved["state_dict"].items():
    print(name, tuple(tensor.shape))
"""
