"""The .cfg of a Darknet network: its layers, traced and written so that the .weights beside it fit.

Layers with numbers come in the order of their registration, which is that of the .weights (see parts/darknet.py), each
after what it needs; everything else stands where it is first needed. What training options the heads' rules name goes
along, so that who trains on with it elsewhere has the same loss; but for [region]'s thresh, which OpenCV takes for the
least score of a detection. [net] says nothing of how it was trained.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import fx, nn
from torch.nn import functional
from torchvision.ops import DropBlock2d

from workbench.detectors.parts import blocks
from workbench.detectors.parts.csp import WeightedSum
from workbench.detectors.parts.darknet_cfg import section_text
from workbench.detectors.parts.detection_head import DetectionHead
from workbench.detectors.parts.detector import Detector
from workbench.detectors.parts.region_head import STRIDE, RegionHead
from workbench.detectors.parts.yolo_head import Rules, YoloHead
from workbench.detectors.parts.yolo_settings import DARKNET_BOX_WEIGHT
from workbench.detectors.yolov4_csp import DARKNET_BOX_WEIGHT as CSP_BOX_WEIGHT
from workbench.errors import WorkbenchError
from workbench.inference.exporters import Card

ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.LeakyReLU: "leaky", nn.Mish: "mish", nn.SiLU: "swish", nn.ReLU: "relu", nn.Sigmoid: "logistic",
    nn.Identity: "linear",
}  # fmt: skip
LEAVES = (
    blocks.ConvUnit, blocks.MaxPool, WeightedSum, nn.Conv2d, nn.Linear, nn.Dropout, DropBlock2d, *ACTIVATIONS,
)  # fmt: skip
WITH_NUMBERS = (blocks.ConvUnit, nn.Conv2d, nn.Linear, WeightedSum)


class NoCfg(WorkbenchError):
    """This network can't be described by a cfg."""


def text(detector: Detector, card: Card) -> str:
    """The whole file. NoCfg if Darknet lacks a part of the network or its kind of labels."""
    if getattr(detector, "planted", False):
        raise NoCfg(f"{detector.title}'s labels form a tree, which a cfg can only refer to by a Darknet file.")
    own = getattr(detector, "cfg_text", None)
    if own is not None:  # it was built from a cfg
        return str(own())
    return _Writer(detector.eval(), card).text()


class _Tracer(fx.Tracer):
    def __init__(self) -> None:
        super().__init__(autowrap_functions=(blocks.reorg, blocks.second_half, blocks.upsample))

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, LEAVES)


class _Writer:
    """`places`: the layer that gives a node's value; -1 is the image."""

    def __init__(self, detector: Detector, card: Card) -> None:
        self.detector, self.card = detector, card
        self.graph = _Tracer().trace(detector)
        self.modules = dict(detector.named_modules())
        self.sections: list[str] = []
        self.places: dict[fx.Node, int] = {}
        size: dict[str, object] = {"width": card.input_px, "height": card.input_px, "channels": 3}
        # AlexeyAB's Darknet reads it only in this section; pjreddie's always letterboxes
        boxed = {} if card.stretched else {"letter_box": 1}
        self.net = section_text("net", {"batch": 1, "subdivisions": 1, **size, **boxed})

    def text(self) -> str:
        by_module = {self._module(node): node for node in self.graph.nodes if node.op == "call_module"}
        for module in self.modules.values():
            if isinstance(module, WITH_NUMBERS) and module in by_module:
                self._place(by_module[module])
        return "\n".join([self.net, *self.sections])

    def _module(self, node: fx.Node) -> nn.Module | None:
        return self.modules[str(node.target)] if node.op == "call_module" else None

    def _place(self, node: fx.Node) -> int:
        """The layer that gives the node's value; written now if it is missing."""
        if node not in self.places:
            self.places[node] = -1 if node.op == "placeholder" else self._write(node)
        return self.places[node]

    def _add(self, kind: str, options: Mapping[str, object]) -> int:
        self.sections.append(section_text(kind, options))
        return len(self.sections) - 1

    def _inputs(self, node: fx.Node) -> list[int]:
        return [self._place(one) for one in node.all_input_nodes]

    def _follow(self, node: fx.Node) -> None:
        """Make the node's layer the last one, adding a route if needed."""
        place = self._place(node)
        if place != len(self.sections) - 1:
            self._add("route", {"layers": place})

    def _write(self, node: fx.Node) -> int:
        module, target = self._module(node), node.target
        if module is not None:
            return self._write_module(node, module)
        if target is torch.cat:
            return self._add("route", {"layers": ",".join(str(place) for place in self._inputs(node))})
        if target is operator.add:
            return self._pair(node, "shortcut")
        if target is operator.mul:
            return self._pair(node, "sam")
        first = node.all_input_nodes[0]
        if target is blocks.second_half:
            return self._add("route", {"layers": self._place(first), "groups": 2, "group_id": 1})
        if target in (blocks.upsample, functional.interpolate):
            self._follow(first)
            return self._add("upsample", {"stride": 2})
        if target is blocks.reorg:
            self._follow(first)
            return self._add("reorg", {"stride": 2})
        if target in ("flatten", "float", "sigmoid"):  # Darknet's next layer flattens; a sigmoid is an activation
            return self._place(first)
        raise NoCfg(f"{self.detector.title} has a part that a cfg can't describe: {target}.")

    def _pair(self, node: fx.Node, kind: str) -> int:
        """A layer that takes the previous one and another: the later of the two inputs is made the previous one."""
        first, second = self._inputs(node)
        if max(first, second) != len(self.sections) - 1:
            self._add("route", {"layers": max(first, second)})
        return self._add(kind, {"from": min(first, second), "activation": "linear"})

    def _write_module(self, node: fx.Node, module: nn.Module) -> int:
        if isinstance(module, WeightedSum):
            return self._weighted(node, module)
        source = node.all_input_nodes[0]
        if isinstance(module, DropBlock2d) or type(module) in ACTIVATIONS:  # for training, or part of the layer before
            return self._place(source)
        self._follow(source)
        if isinstance(module, blocks.MaxPool):
            return self._add("maxpool", {"size": module.size, "stride": module.stride})
        if isinstance(module, nn.Dropout):
            return self._add("dropout", {"probability": module.p})
        if isinstance(module, nn.Linear):
            place = self._add("connected", {"output": module.out_features, "activation": self._activation_after(node)})
        elif isinstance(module, blocks.ConvUnit):
            norm = {"batch_normalize": 1} if isinstance(module.norm, nn.BatchNorm2d) else {}
            place = self._convolution(module.conv, norm, _name(module.activation))
        else:
            assert isinstance(module, nn.Conv2d)
            place = self._convolution(module, {}, self._activation_after(node))
        self._head_after(node)
        return place

    def _convolution(self, conv: nn.Conv2d, norm: dict[str, int], activation: str) -> int:
        size, groups = conv.kernel_size[0], {"groups": conv.groups} if conv.groups > 1 else {}
        shape = {"filters": conv.out_channels, "size": size, "stride": conv.stride[0], "pad": 1}
        return self._add("convolutional", {**norm, **shape, **groups, "activation": activation})

    def _activation_after(self, node: fx.Node) -> str:
        """The activation of a layer for which it is a separate step here."""
        (user,) = node.users if len(node.users) == 1 else (None,)
        if user is not None and user.target == "float":
            (user,) = user.users
        if user is not None and user.target == "sigmoid":
            return "logistic"
        module = None if user is None else self._module(user)
        return ACTIVATIONS.get(type(module), "linear") if module is not None else "linear"

    def _weighted(self, node: fx.Node, module: WeightedSum) -> int:
        """Its weights are in this order: the previous layer, then that of `from`."""
        before, other = node.all_input_nodes
        place = self._place(other)
        self._follow(before)
        kind = "per_channel" if module.weights.shape[1] > 1 else "per_feature"
        how = {"weights_type": kind, "weights_normalization": module.normalization}
        return self._add("shortcut", {"from": place, "activation": "linear", **how})

    def _head_after(self, node: fx.Node) -> None:
        if node.target in self.detector.outs:
            kind, options = _head(self.detector, self.detector.outs.index(str(node.target)), self.card)
            self._add(kind, options)


def _name(activation: nn.Module) -> str:
    return ACTIVATIONS[type(activation)]


def _head(detector: Detector, level: int, card: Card) -> tuple[str, dict[str, object]]:
    """The section of an output layer. Anchors are in pixels, in [region] in cells."""
    head: Any = detector.head
    boxes: dict[str, object]
    if isinstance(head, DetectionHead):
        boxes = {"classes": head.label_count, "coords": 4, "side": head.side, "num": head.box_count}
        boxes |= {"coord_scale": head.rules.box_weight, "noobject_scale": head.rules.background_weight}
        return "detection", {**boxes, "softmax": 0, "sqrt": 1, "rescore": int(head.rules.rescore)}
    if isinstance(head, RegionHead):
        anchors = _listed(side / STRIDE for size in detector.anchors for side in size)
        boxes = {"classes": head.label_count, "coords": 4, "num": len(detector.anchors), "softmax": 1}
        boxes |= {"object_scale": head.region.object_weight, "noobject_scale": head.region.background_weight}
        return "region", {"anchors": anchors, "bias_match": 1, **boxes, "rescore": int(head.region.rescore)}
    assert isinstance(head, YoloHead)
    anchors = _listed(side for size in detector.anchors for side in size)
    rules = head.rules
    options: dict[str, object] = {
        "mask": _listed(head.masks[level]), "anchors": anchors, "classes": head.label_count,
        "num": len(detector.anchors), "scale_x_y": head.scales[level], "ignore_thresh": rules.ignore_iou,
        "iou_thresh": rules.match_iou, "truth_thresh": 1, "iou_loss": rules.box, **_weights(rules, level),
    }  # fmt: skip
    if rules.activated:
        options["new_coords"] = 1
    if card.nms_kind == "darknet diou":
        options |= {"nms_kind": "greedynms", "beta_nms": 0.6}
    return "yolo", options


def _weights(rules: Rules, level: int) -> dict[str, object]:
    """How the terms of the loss weigh: without these Darknet's box term would weigh 0.75, ten times the published."""
    found: dict[str, object] = {}
    if rules.darknet_gradient or rules.box == "mse":
        found["iou_normalizer"] = rules.box_weight
    elif rules.box == "ciou":  # our weight is for the true derivative, which Darknet's is not
        found["iou_normalizer"] = CSP_BOX_WEIGHT if rules.activated else DARKNET_BOX_WEIGHT
    if rules.largest_delta:
        found["max_delta"] = rules.largest_delta[level]
    if rules.objectness_weight:
        found["obj_normalizer"] = rules.objectness_weight[level]
    if rules.smooth_objectness:
        found["objectness_smooth"] = int(rules.smooth_objectness[level])
    if rules.label_smoothing:
        found["label_smooth_eps"] = rules.label_smoothing
    return found


def _listed(numbers: Any) -> str:
    return ",".join(f"{number:g}" if isinstance(number, int) else repr(float(number)) for number in numbers)
