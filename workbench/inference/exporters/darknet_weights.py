"""Darknet's .weights with the .cfg and .names that go with it, for Darknet and programs that read its files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from workbench.inference.exporters import DECODED, Card, Source, Unsuitable, example_code, register

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Detector


@register("darknet")
class DarknetWeights:
    """Only Darknet's networks can be written this way."""

    title: ClassVar[str] = "Darknet weights"
    summary: ClassVar[str] = "For YOLO networks: .weights, .cfg and .names, for Darknet and tools that read its files."
    file: ClassVar[str] = "model.weights"
    needs: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def unfit(kind: type[Detector]) -> str:
        """Detectors for which Darknet has no cfg."""
        return (
            "" if kind.darknet else f"{kind.title} is not a Darknet network, so it can't be written as Darknet weights."
        )

    def write(self, source: Source, file: Path) -> str:
        from workbench.detectors.parts import darknet

        detector = source.detector
        if why := self.unfit(type(detector)):
            raise Unsuitable(why)
        counted = darknet.seen_of(detector.named_buffers())
        darknet.write(detector, file, int(source.card.provenance.get("seen", 0)) if counted is None else counted)
        return self._described(source)[1]

    def beside(self, source: Source) -> dict[str, str]:
        """The network's layers, and its labels in order, one per line."""
        cfg, _ = self._described(source)
        names = {"model.names": "".join(f"{label}\n" for label in source.card.labels)}
        return names | ({"model.cfg": cfg} if cfg else {})

    def _described(self, source: Source) -> tuple[str, str]:
        """The cfg, or the reason why there is none."""
        from workbench.inference.exporting import darknet_cfg

        try:
            return darknet_cfg.text(source.detector, source.card), ""
        except darknet_cfg.NoCfg as error:
            return "", f"There is no .cfg beside it: {error.sentence}"

    def fill(self, file: Path, detector: Detector) -> None:
        """With our own reader of Darknet's files."""
        from workbench.detectors.parts import darknet

        darknet.read(detector, file)

    def code(self, card: Card) -> str:
        decoded = dataclasses.replace(card, output=DECODED, batch=1)
        return example_code(decoded, "", OPENING, RUNNING)


OPENING = """if not hasattr(cv2.dnn, "readNetFromDarknet"):
    sys.exit(f"OpenCV {cv2.__version__} reads no Darknet files any more: pip install 'opencv-python-headless<5'")
cfg = (here / "model.cfg").read_bytes().replace(b"[yolo]", b"[yolo]\\nthresh=0.001")  # else OpenCV drops all below 0.2
network = cv2.dnn.readNetFromDarknet(np.frombuffer(cfg, np.uint8), np.fromfile(here / "model.weights", np.uint8))
"""
RUNNING = """network.setInput(tensor)
rows = np.concatenate(network.forward(network.getUnconnectedOutLayersNames()))  # centre, sides, object, labels
corner, half = rows[:, :2] * side, rows[:, 2:4] * side / 2
found = np.concatenate([corner - half, corner + half], axis=1), rows[:, 5:]
"""
