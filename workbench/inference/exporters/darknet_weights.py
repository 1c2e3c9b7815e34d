"""Darknet's .weights: the numbers of a YOLO network in the order of its cfg, for Darknet and what reads its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from workbench.inference.exporters import Card, Source, Unsuitable, register

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Detector


@register("darknet")
class DarknetWeights:
    """Only networks of Darknet's can be written so; the cfg itself is Darknet's, with the numbers the README names."""

    title: ClassVar[str] = "Darknet weights"
    summary: ClassVar[str] = "For YOLO networks: runs in Darknet and OpenCV with the network's cfg."
    file: ClassVar[str] = "model.weights"
    needs: ClassVar[tuple[str, ...]] = ()

    def write(self, source: Source, file: Path) -> str:
        from workbench.detectors.parts import darknet

        detector = source.detector
        if not detector.darknet:
            raise Unsuitable(f"{detector.title} is not a network of Darknet's, so it can't be written as its weights.")
        counted = darknet.seen_of(detector.named_buffers())
        darknet.write(detector, file, int(source.card.provenance.get("seen", 0)) if counted is None else counted)
        return ""

    def opened(self, file: Path) -> None:
        return None

    def fill(self, file: Path, detector: Detector) -> None:
        """By our own reader of Darknet's files."""
        from workbench.detectors.parts import darknet

        darknet.read(detector, file)

    def code(self, card: Card) -> str:
        labels = len(card.labels)
        return f"""# With the network's own cfg: in every head classes={labels}, in the convolution before it
# filters={5 + labels} times the head's anchors; width, height and anchors as in model.json.
import cv2
network = cv2.dnn.readNetFromDarknet("{card.detector}.cfg", "model.weights")
"""
