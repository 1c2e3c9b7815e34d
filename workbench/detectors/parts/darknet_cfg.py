"""The text of Darknet's .cfg files: reads and writes sections of options, and says which options are supported.

`plugins/darknet_cfg.py` builds a detector from one, `inference/exporting/darknet_cfg.py` writes the cfg of a detector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.detectors.parts.blocks import LEAKY_SLOPE
from workbench.errors import WorkbenchError

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {  # activations.h has them all
    "linear": nn.Identity,
    "logistic": nn.Sigmoid,
    "loggy": lambda: Elementwise(lambda x: 2 * x.sigmoid() - 1),
    "tanh": nn.Tanh,
    "hardtan": nn.Hardtanh,
    "lhtan": lambda: Elementwise(lambda x: 0.999 * x.clamp(0, 1) + 0.001 * x),
    "plse": lambda: Elementwise(lambda x: 0.115 * x.clamp(-4, 4) + 0.01 * x + 0.5),
    "stair": lambda: Elementwise(lambda x: torch.where(x.floor() % 2 == 0, 0, x - x.floor()) + (x / 2).floor()),
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky": lambda: nn.LeakyReLU(LEAKY_SLOPE),
    "revleaky": lambda: nn.LeakyReLU(LEAKY_SLOPE),
    "relie": lambda: nn.LeakyReLU(0.01),
    "ramp": lambda: Elementwise(lambda x: x.relu() + 0.1 * x),
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": lambda: nn.GELU(approximate="tanh"),
    "swish": nn.SiLU,
    "mish": nn.Mish,
    "hard_mish": lambda: Elementwise(lambda x: torch.where(x > 0, x, 0.5 * x.clamp(-2, 0) ** 2 + x.clamp(-2, 0))),
}
_COMPUTED: dict[str, dict[str, float | str]] = {  # options that change what a layer computes: values supported here
    "convolutional": {"binary": 0, "xnor": 0, "bin_output": 0, "antialiasing": 0, "flipped": 0, "share_index": ""},
    "maxpool": {"maxpool_depth": 0, "antialiasing": 0},
    "upsample": {"scale": 1},
    "scale_channels": {"scale_wh": 0},
    "connected": {"batch_normalize": 0},
    "yolo": {"yolo_point": "center"},
    "region": {"softmax": 1, "coords": 4, "background": 0, "tree": ""},
    "detection": {"sqrt": 1, "softmax": 0, "coords": 4, "reorg": 0},
}  # fmt: skip
_LEARNT: dict[str, dict[str, float | str]] = {  # the same for options that change only what is learnt
    "convolutional": {"rotate": 0, "stretch": 0, "sway": 0, "stretch_sway": 0, "assisted_excitation": 0},
    "dropout": {"dropblock": 0},
    "yolo": {
        "focal_loss": 0, "counters_per_class": "", "truth_thresh": 1, "delta_normalizer": 1, "iou_thresh_kind": "iou",
    },
    "region": {"bias_match": 1, "focal_loss": 0, "class_scale": 1, "coord_scale": 1, "classfix": 0},
    "detection": {"object_scale": 1, "class_scale": 1, "forced": 0},
}  # fmt: skip
ALIKE = (  # options for which only the first [yolo] section counts
    "iou_loss", "iou_normalizer", "label_smooth_eps", "ignore_thresh", "iou_thresh",
)  # fmt: skip
_ALIASES = {
    "network": "net", "conv": "convolutional", "max": "maxpool", "avg": "avgpool", "conn": "connected",
}  # fmt: skip


class Elementwise(nn.Module):
    """A nonlinearity for which PyTorch has no layer."""

    def __init__(self, work: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.work = work

    def forward(self, inputs: Tensor) -> Tensor:
        return self.work(inputs)


@dataclass(frozen=True)
class Section:
    """One section of a cfg: [net] or a layer. `line` is where it begins. `kind` is its name; where two names mean the
    same, such as [conv] and [convolutional], the longer one.

    The methods raise WorkbenchError for an option that should be a number and is not.
    """

    kind: str
    line: int
    options: dict[str, str]

    def number(self, name: str, default: float) -> float:
        text = self.options.get(name, str(default))
        try:
            return float(text)
        except ValueError:
            raise self.refuse(f"'{name}' must be a number, not '{text}'") from None

    def whole(self, name: str, default: int) -> int:
        return int(self.number(name, default))

    def numbers(self, name: str) -> list[float]:
        """The option's comma-separated numbers; none where it is missing."""
        try:
            return [float(part) for part in self.options.get(name, "").split(",") if part.strip()]
        except ValueError:
            raise self.refuse(f"'{name}' must be numbers separated by commas, not '{self.options[name]}'") from None

    def stride(self) -> int:
        """The stride, which must be the same in both directions (else WorkbenchError)."""
        stride = self.whole("stride", 1)
        if any(self.whole(name, stride) != stride for name in ("stride_x", "stride_y")):
            raise self.refuse("stride_x and stride_y must equal stride")
        return stride

    @property
    def unknown(self) -> list[str]:
        """Options that make the layer compute something that is not supported."""
        return self._others(_COMPUTED)

    @property
    def unlearnt(self) -> list[str]:
        """Options that change what is learnt in a way that is not supported."""
        return self._others(_LEARNT)

    def _others(self, known: Mapping[str, Mapping[str, float | str]]) -> list[str]:
        pairs = known.get(self.kind, {}).items()
        return [name for name, value in pairs if name in self.options and not self._is(name, value)]

    def _is(self, name: str, value: float | str) -> bool:
        return self.options[name] == value if isinstance(value, str) else self.number(name, 0) == value

    def refuse(self, why: str) -> WorkbenchError:
        """The error to raise: the cfg can't be used because of this section."""
        return WorkbenchError(f"The cfg can't be used: [{self.kind}] in line {self.line}: {why}.")


def read(text: str) -> list[Section]:
    """The sections of a cfg's text. WorkbenchError with the line if it is not one."""
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].partition(";")[0].strip()
        if line.startswith("[") and line.endswith("]"):
            kind = line[1:-1].strip().lower()
            sections.append(Section(_ALIASES.get(kind, kind), number, {}))
        elif line:
            name, equals, value = line.partition("=")
            if not equals or not sections:
                what = raw.strip()[:60]
                found = f"line {number} is '{what}'" if what.isprintable() and "\ufffd" not in what else "it isn't text"
                raise WorkbenchError(f"This is not a Darknet cfg: {found}.")
            sections[-1].options[name.strip()] = value.strip()
    if not sections or sections[0].kind != "net":
        raise WorkbenchError("This is not a Darknet cfg: it must begin with [net].")
    return sections


def section_text(kind: str, options: Mapping[str, object]) -> str:
    """The lines of one section; a cfg has an empty line between sections."""
    return f"[{kind}]\n" + "".join(f"{name}={value}\n" for name, value in options.items())


def largest_stride(sections: Sequence[Section]) -> int:
    """How many pixels of the image a cell of the smallest map is wide: 32 after five halvings, [net] being the first of
    the sections. WorkbenchError for a stride that is no number; other faults are left to whoever builds the network.
    """
    strides = [1]
    for section in sections[1:]:
        now = strides[-1]
        if section.kind in ("convolutional", "maxpool"):
            now *= max(section.stride(), 1)
        elif section.kind == "reorg":
            now *= section.whole("stride", 1)
        elif section.kind == "upsample":
            now //= max(section.whole("stride", 2), 1)
        elif section.kind in ("route", "scale_channels", "sam"):
            number = int((section.numbers("layers") or section.numbers("from") or [-1])[0])
            source = number + (1 if number >= 0 else len(strides))  # counted from 0, or backwards
            now = strides[source] if 0 <= source < len(strides) else now
        strides.append(max(now, 1))
    return max(strides)
