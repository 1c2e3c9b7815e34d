"""ONNX: one file that runs almost everywhere, decoding and NMS included."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from workbench.inference.exporters import KEY, Card, Source, example_code, open_sizes, outputs_of, register

OPSET, OLD_OPSET = 20, 17  # of the new and the old exporter, as tested
OPTIMISED = True  # takes a third of the time; runtimes repeat much of it when they open the file


@register("onnx")
class Onnx:
    """Written by torch's new exporter or, if that fails, by the old one. Metadata and names are ours."""

    title: ClassVar[str] = "ONNX"
    summary: ClassVar[str] = "Runs almost everywhere: ONNX Runtime, OpenVINO, TensorRT, browsers, phones."
    file: ClassVar[str] = "model.onnx"
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")
    runtime: ClassVar[str] = "onnx"
    flexible: ClassVar[bool] = True

    def write(self, source: Source, file: Path) -> str:
        import onnx

        remark = ""
        with _silence() as printed:
            try:
                _new_exporter(source, file)
            except Exception as error:  # it raises dozens of types
                remark = f"torch's new exporter failed ({type(error).__name__}), so the old one wrote this file."
                logging.getLogger(__name__).info("new ONNX exporter: %s\n%s", error, printed.getvalue()[-4000:])
                _old_exporter(source, file)
        model = onnx.load(str(file), load_external_data=False)
        _describe(model, source.card)
        onnx.checker.check_model(model)
        onnx.save(model, str(file))
        return remark

    def code(self, card: Card) -> str:
        opening = 'session = onnxruntime.InferenceSession(here / "model.onnx")\n'
        running = 'found = session.run(None, {"image": tensor})\n'
        return example_code(card, "import onnxruntime", opening, running)


def _names(source: Source) -> list[str]:
    import torch

    names = outputs_of(source.card)
    if names:
        return list(names)
    with torch.no_grad():
        return [f"head_{number}" for number in range(len(source.graph(source.example)))]


def _new_exporter(source: Source, file: Path) -> None:
    import torch

    sizes = open_sizes(source.card)  # torch.onnx opens them in its own way: those of a program would become constants
    program = torch.onnx.export(
        source.graph if sizes else source.program, (source.example,) if sizes else (), dynamo=True, verbose=False,
        opset_version=OPSET, input_names=["image"], output_names=_names(source), dynamic_shapes=sizes,
        optimize=OPTIMISED,
    )  # fmt: skip
    assert program is not None
    program.save(str(file), external_data=False)


def _old_exporter(source: Source, file: Path) -> None:
    import torch

    axes = {axis: name for axis, name in ((0, "batch"), (2, "height"), (3, "width")) if _is_open(source.card, axis)}
    names = _names(source)
    torch.onnx.export(
        source.graph, (source.example,), str(file), dynamo=False, opset_version=OLD_OPSET,
        input_names=["image"], output_names=names,
        dynamic_axes={"image": axes, **{name: {0: "batch"} for name in names if 0 in axes}} if axes else None,
    )  # fmt: skip


def _is_open(card: Card, axis: int) -> bool:
    return not card.batch if axis == 0 else card.size == "dynamic"


def _describe(model: Any, card: Card) -> None:
    """Write model.json into the metadata and give readable names to the sizes that depend on the picture."""
    plain = {
        "labels": "\n".join(card.labels), "input_px": str(card.input_px), "resize": card.resize,
        "confidence": str(card.score), "nms": card.nms_kind, "iou": str(card.iou), "licence": card.licence,
        "data": card.data, "program": f"Workbench {card.version}",
    }  # fmt: skip
    for key, value in ((KEY, card.to_json()), *plain.items()):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    model.producer_name, model.producer_version = "Workbench", card.version
    for output in model.graph.output:
        for size in output.type.tensor_type.shape.dim:
            if not size.HasField("dim_value") and card.lone and card.nms:
                size.dim_param = "detections"


@contextlib.contextmanager
def _silence() -> Iterator[io.StringIO]:
    """Exporters print megabytes when they fail, and warn about things that verification checks."""
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
