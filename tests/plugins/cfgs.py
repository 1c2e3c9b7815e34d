"""Darknet's cfgs of the networks that have golden arrays, and one with every kind of layer; written out by rule."""

from __future__ import annotations

from collections.abc import Mapping


def section(kind: str, options: Mapping[str, object]) -> str:
    return f"[{kind}]\n" + "".join(f"{name}={value}\n" for name, value in options.items()) + "\n"


def conv(filters: int, size: int = 3, stride: int = 1, activation: str = "leaky", **more: object) -> str:
    norm = {} if activation == "linear" else {"batch_normalize": 1}
    options = {**norm, "filters": filters, "size": size, "stride": stride, "pad": 1, "activation": activation}
    return section("convolutional", {**options, **more})


def net(px: int) -> str:
    return section("net", {"batch": 64, "width": px, "height": px, "channels": 3})


def pool(size: int = 2, stride: int = 2) -> str:
    return section("maxpool", {"size": size, "stride": stride})


def route(*layers: int, **more: object) -> str:
    return section("route", {"layers": ",".join(map(str, layers)), **more})


UP = section("upsample", {"stride": 2})


def yolov1_tiny(px: int, head: Mapping[str, object]) -> str:
    stages = "".join(conv(filters) + pool() for filters in (16, 32, 64, 128, 256, 512))
    last = section("connected", {"output": 1470, "activation": "linear"})
    return net(px) + stages + conv(1024) + conv(256) + last + section("detection", head)


def yolov2_tiny_voc(px: int, head: Mapping[str, object]) -> str:
    stages = "".join(conv(filters) + pool() for filters in (16, 32, 64, 128, 256))
    rest = conv(512) + pool(2, 1) + conv(1024) + conv(1024) + conv(125, 1, activation="linear")
    return net(px) + stages + rest + section("region", head)


def yolov3_tiny(px: int, coarse: Mapping[str, object], fine: Mapping[str, object]) -> str:
    stages = "".join(conv(filters) + pool() for filters in (16, 32, 64, 128, 256))
    tip = conv(512) + pool(2, 1) + conv(1024) + conv(256, 1) + conv(512) + conv(255, 1, activation="linear")
    back = route(-4) + conv(128, 1) + UP + route(-1, 8) + conv(256) + conv(255, 1, activation="linear")
    return net(px) + stages + tip + section("yolo", coarse) + back + section("yolo", fine)


def yolov4_tiny(px: int, coarse: Mapping[str, object], fine: Mapping[str, object]) -> str:
    def block(filters: int) -> str:
        half = conv(filters) + route(-1, groups=2, group_id=1) + conv(filters // 2) + conv(filters // 2)
        return half + route(-1, -2) + conv(filters, 1) + route(-6, -1) + pool()

    body = conv(32, stride=2) + conv(64, stride=2) + block(64) + block(128) + block(256)
    tip = conv(512) + conv(256, 1) + conv(512) + conv(255, 1, activation="linear")
    back = route(-4) + conv(128, 1) + UP + route(-1, 23) + conv(256) + conv(255, 1, activation="linear")
    return net(px) + body + tip + section("yolo", coarse) + back + section("yolo", fine)


def everything(px: int) -> str:
    """Each kind of layer once, and shortcuts of unequal channels; the head is nearly YOLOv4's."""
    head = {
        "mask": "0,1,2", "anchors": "6,8, 20,24, 50,60", "classes": 7, "num": 3, "ignore_thresh": 0.7,
        "iou_loss": "mse", "scale_x_y": 1.05, "iou_thresh": 0.213,
    }  # fmt: skip
    return (
        net(px)
        + conv(16, stride=2, activation="mish")
        + conv(16, groups=16, activation="swish")
        + conv(24, 1, activation="relu6")
        + section("shortcut", {"from": -3, "activation": "linear"})
        + section("maxpool", {"size": 2, "stride": 2})
        + conv(32, activation="leaky")
        + section("shortcut", {"from": -1, "activation": "leaky", "weights_type": "per_feature"})
        + section("dropout", {"probability": 0.1})
        + section("reorg", {"stride": 2})
        + conv(32, 1)
        + section("avgpool", {})
        + conv(32, 1, activation="logistic")
        + section("scale_channels", {"from": -3})
        + conv(32, 1, activation="logistic")
        + section("sam", {"from": -2})
        + section("upsample", {"stride": 2})
        + route(-1, 7)
        + conv(32)
        + conv(36, 1, activation="linear")
        + section("yolo", head)
    )


def six_halvings(px: int) -> str:
    """As in Scaled-YOLOv4's P6: a head behind six halvings, and one behind five that gets the same map enlarged."""
    head = {"mask": "0", "anchors": "20,24", "classes": 3, "num": 1, "iou_loss": "ciou"}
    stages = "".join(conv(8) + pool() for _ in range(6))
    coarse = conv(8, 1, activation="linear") + section("yolo", head)
    back = route(11) + UP + route(-1, 9) + conv(8, 1, activation="linear")
    return net(px) + stages + coarse + back + section("yolo", head)
