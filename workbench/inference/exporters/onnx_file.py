"""ONNX: one file that runs almost everywhere, decoding and NMS included."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.inference.exporters import Arrays, Card, Run, Source, picture_code, register, result_code

OPSET, OLD_OPSET = 20, 17  # of the new exporter and of the old one: what each was tested with
_IMPORTS = "import json, cv2, numpy as np, onnxruntime"


@register("onnx")
class Onnx:
    """Written by torch's new exporter; where it fails, by the old one. Ours are the metadata and the names."""

    title: ClassVar[str] = "ONNX"
    summary: ClassVar[str] = "Runs almost everywhere: ONNX Runtime, OpenVINO, TensorRT, browsers, phones."
    file: ClassVar[str] = "model.onnx"
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")

    def write(self, source: Source, file: Path) -> str:
        import onnx

        remark = ""
        with _silence() as printed:
            try:
                _new_exporter(source, file)
            except Exception as error:  # it raises dozens of kinds
                remark = f"torch's new exporter failed ({type(error).__name__}), so the old one wrote this file."
                logging.getLogger(__name__).info("new ONNX exporter: %s\n%s", error, printed.getvalue()[-4000:])
                _old_exporter(source, file)
        model = onnx.load(str(file), load_external_data=False)
        _describe(model, source.card)
        onnx.checker.check_model(model)
        onnx.save(model, str(file))
        return remark

    def opened(self, file: Path) -> Run:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

        def run(image: NDArray[np.float32]) -> Arrays:
            return tuple(session.run(None, {"image": image}))

        return run

    def code(self, card: Card) -> str:
        outputs = "boxes, scores, labels" if card.nms else "boxes, scores"
        return (
            picture_code(card, _IMPORTS)
            + 'session = onnxruntime.InferenceSession("model.onnx")\n'
            + f'{outputs} = session.run(None, {{"image": tensor}})\n'
            + result_code(card)
        )


def _names(card: Card) -> list[str]:
    return ["boxes", "scores", "labels"] if card.nms else ["boxes", "scores"]


def _new_exporter(source: Source, file: Path) -> None:
    import torch

    program = torch.onnx.export(
        source.graph, (source.example,), dynamo=True, opset_version=OPSET, verbose=False,
        input_names=["image"], output_names=_names(source.card),
    )  # fmt: skip
    assert program is not None
    program.save(str(file), external_data=False)


def _old_exporter(source: Source, file: Path) -> None:
    import torch

    torch.onnx.export(
        source.graph, (source.example,), str(file), dynamo=False, opset_version=OLD_OPSET,
        input_names=["image"], output_names=_names(source.card),
    )  # fmt: skip


def _describe(model: Any, card: Card) -> None:
    """model.json into the metadata; readable names for the sizes that depend on the picture."""
    for key, value in (("workbench", card.to_json()), ("labels", "\n".join(card.labels))):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    model.producer_name = "Workbench"
    for output in model.graph.output:
        for size in output.type.tensor_type.shape.dim:
            if not size.HasField("dim_value"):
                size.dim_param = "detections"


@contextlib.contextmanager
def _silence() -> Iterator[io.StringIO]:
    """Exporters print megabytes when they fail and warn about things that verification settles."""
    printed = io.StringIO()
    noisy = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [logger.level for logger in noisy]
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in noisy:
            logger.setLevel(logging.CRITICAL)
        try:
            yield printed
        finally:
            for logger, level in zip(noisy, levels, strict=True):
                logger.setLevel(level)
