"""Trains a peer's detector from scratch, detects in the other images: learn.py PEER WHO FOLDER EPOCHS SEED

WHO: yolov8n or ssdlite. FOLDER: images/train, images/test and labels/train, labels/test in YOLO's format, data.yaml.
Prints {"cpu_seconds": of the training alone, "epochs", "version", "found": {file name: [[label, score, x0, y0, x1,
y1], ...]}}.
"""

from __future__ import annotations

import importlib.metadata
import json
import resource
import sys
from pathlib import Path

import torch

_, _, who, where, epochs, seed = sys.argv
folder, epochs, seed = Path(where), int(epochs), int(seed)
PX, BATCH, LEAST, MOST = 320, 16, 0.001, 300
torch.set_num_threads(1)  # threads that wait for each other would count as work


def processor_seconds():
    used = [resource.getrusage(which) for which in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def yolov8n():
    from ultralytics import YOLO

    begun = processor_seconds()
    model = YOLO("yolov8n.yaml")
    model.train(
        data=str(folder / "data.yaml"), epochs=epochs, imgsz=PX, batch=BATCH, device="cpu", workers=1, seed=seed,
        project=str(folder / "out"), name="run", pretrained=False, val=False, plots=False, amp=False, verbose=False,
    )  # fmt: skip
    spent = processor_seconds() - begun
    last = YOLO(folder / "out" / "run" / "weights" / "last.pt")
    found = {}
    for file in sorted((folder / "images" / "test").iterdir()):
        (made,) = last.predict(str(file), imgsz=PX, conf=LEAST, iou=0.7, max_det=MOST, device="cpu", verbose=False)
        boxes = made.boxes
        rows = torch.cat([boxes.cls[:, None], boxes.conf[:, None], boxes.xyxy], dim=1)
        found[file.name] = rows.tolist()
    return spent, found, "ultralytics " + importlib.metadata.version("ultralytics")


def read(split, px=None):
    """Names, images, boxes in pixels and labels from 1; images are made `px` wide and high if told."""
    from PIL import Image

    for file in sorted((folder / "images" / split).iterdir()):
        image = Image.open(file).convert("RGB")
        lines = (folder / "labels" / split / f"{file.stem}.txt").read_text().split("\n")
        rows = torch.tensor([[float(part) for part in line.split()] for line in lines if line]).reshape(-1, 5)
        image = image.resize((px, px), Image.Resampling.BILINEAR) if px else image
        size = torch.tensor([image.width, image.height] * 2)
        centre, half = rows[:, 1:3], rows[:, 3:] / 2
        yield file.name, image, torch.cat([centre - half, centre + half], dim=1) * size, rows[:, 0].long() + 1


def ssdlite():
    import torchvision
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    torch.manual_seed(seed)
    names = json.loads((folder / "names.json").read_text())
    begun = processor_seconds()
    train = list(read("train", PX))  # what the network makes of them in any case; zooming out costs less then
    change = v2.Compose(
        [
            v2.ToImage(), v2.RandomPhotometricDistort(), v2.RandomZoomOut(fill=128), v2.RandomIoUCrop(),
            v2.RandomHorizontalFlip(), v2.SanitizeBoundingBoxes(), v2.ToDtype(torch.float32, scale=True),
        ]
    )  # fmt: skip
    model = torchvision.models.detection.ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=len(names) + 1
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=4e-5)
    steps = epochs * -(-len(train) // BATCH)
    warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, 1.0, 50)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps - 50, 1))
    rate = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm_up, falling], [50])
    for _ in range(epochs):
        model.train()
        for rows in torch.randperm(len(train)).split(BATCH):
            if len(rows) < 2:
                continue
            images, targets = [], []
            for row in rows.tolist():
                _, image, boxes, labels = train[row]
                boxes = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(image.height, image.width))
                image, target = change(image, {"boxes": boxes, "labels": labels})
                images.append(image)
                targets.append({"boxes": target["boxes"].as_subclass(torch.Tensor), "labels": target["labels"]})
            loss = sum(model(images, targets).values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
    spent = processor_seconds() - begun
    model.eval()
    found = {}
    plain = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    with torch.inference_mode():
        for name, image, _, _ in read("test"):
            (made,) = model([plain(image)])
            rows = torch.cat([made["labels"][:, None] - 1.0, made["scores"][:, None], made["boxes"]], dim=1)
            found[name] = rows[rows[:, 1] >= LEAST][:MOST].tolist()
    return spent, found, "torchvision " + importlib.metadata.version("torchvision")


spent, found, version = {"yolov8n": yolov8n, "ssdlite": ssdlite}[who]()
print(json.dumps({"cpu_seconds": round(spent, 1), "epochs": epochs, "version": version, "found": found}))
