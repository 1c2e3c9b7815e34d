"""Safetensors: the bare weights with a header, safe to open; this program opens it like any checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from workbench.core.files import apply_default_permissions
from workbench.inference.exporters import Card, Source, register


@register("safetensors")
class Safetensors:
    """Tensors by name, and text; nothing in it can run, so it can do no harm."""

    title: ClassVar[str] = "Safetensors"
    summary: ClassVar[str] = "Only the weights, for this program and for your own code; safe to pass on."
    file: ClassVar[str] = "model.safetensors"
    needs: ClassVar[tuple[str, ...]] = ()
    runtime: ClassVar[str] = "safetensors"

    def write(self, source: Source, file: Path) -> str:
        from safetensors.torch import save_file

        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in source.detector.state_dict().items()}
        save_file(tensors, file, metadata={**source.metadata, "model.json": source.card.to_json()})
        apply_default_permissions(file)
        return ""

    def code(self, card: Card) -> str:
        return """import pathlib

from safetensors import safe_open

here = pathlib.Path(__file__).parent
with safe_open(here / "model.safetensors", framework="numpy") as file:
    print(file.metadata()["model.json"])
    for name in file.keys():
        print(name, file.get_tensor(name).shape)
"""
