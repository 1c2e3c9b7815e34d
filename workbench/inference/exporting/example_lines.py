"""Lines of example.py, the script beside an exported file that runs it without this program; put together by
exporters.example_code().

In them `least` is the confidence of each label, and boxes, scores and labels are (n, 4), (n,) and (n,).
"""

from __future__ import annotations

from workbench.core.detections import MOST
from workbench.core.nms import DIOU_POWERS
from workbench.core.tiling import HALF, TOUCHES, TRUSTED

START = """
if len(sys.argv) < 2 or not pathlib.Path(sys.argv[1]).is_file():
    sys.exit("Say which photograph: python example.py PHOTO")
here = pathlib.Path(__file__).parent
about = json.loads((here / "model.json").read_text("utf-8"))
data = np.fromfile(sys.argv[1], np.uint8)
"""

IMAGE = """image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
if image is None:
    sys.exit("OpenCV does not read this file as a photograph.")
image = image[:, :, ::-1]  # upright, RGB
"""
IMAGE_IN_WINDOW = """image = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR) if data.size else None
if image is None:
    sys.exit("OpenCV does not read this file as a photograph.")
if image.dtype != np.uint8:  # more than 8 bits: from black to white as in training
    black, white = about["window"]
    image = np.clip(np.nan_to_num(image.astype(float), nan=black), black, white)
    image = np.floor((image - black) * 255 / (white - black) + 0.5).astype(np.uint8)
image = np.dstack([image] * 3) if image.ndim == 2 else image[:, :, ::-1]  # upright, RGB
"""

BY_CORNERS = """def resize(pixels, size):  # bilinear, with the corner pixels kept: Darknet's
    for axis, wanted in ((1, size[0]), (0, size[1])):
        place = np.linspace(0, pixels.shape[axis] - 1, wanted)
        low = place.astype(int)
        high, share = np.minimum(low + 1, pixels.shape[axis] - 1), np.expand_dims(place - low, [1 - axis, 2])
        near = np.take(pixels, low, axis).astype(float)
        pixels = near + share * (np.take(pixels, high, axis) - near)
    return pixels
"""

STRETCH = """square, scale, pad = resize(image, (side, side)), np.array([side / width, side / height] * 2), 0
"""
LETTERBOX = """w, h = max(1, width * side // max(width, height)), max(1, height * side // max(width, height))
square, left, top = np.full((side, side, 3), 128, np.float32), (side - w) // 2, (side - h) // 2
square[top:top + h, left:left + w] = resize(image, (w, h))
scale, pad = np.array([w / width, h / height] * 2), np.array([left, top] * 2)
"""

LEAST = """own = about["label_scores"]
least = np.array([own.get(name, about["score"]) for name in about["labels"]])  # confidence of each label
"""
BACK = """boxes = np.clip((boxes - pad) / scale, 0, [width, height, width, height])  # pixels of the image
"""
PAIRS = f"""there = (boxes[:, 2:] > boxes[:, :2]).all(1)  # others lie outside of it
rows, labels = np.nonzero((scores >= least) & there[:, None])
best = np.argsort(-scores[rows, labels], kind="stable")[:{MOST}]
boxes, scores, labels = boxes[rows[best]], scores[rows[best], labels[best]], labels[best]
"""
PRINT = """for box, score, label in zip(boxes, scores, labels):
    if label >= 0 and score >= least[label] and (box[2:] > box[:2]).all():  # others lie outside of it
        print(about["labels"][label], round(float(score), 4), [round(float(side), 2) for side in box])
"""
HEADS = """for head in found:  # for your own decoding, with model.json's anchors
    print(head.shape)
"""

NMS = """sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).tolist()
keep = cv2.dnn.NMSBoxesBatched(sizes, scores.tolist(), labels.tolist(), 0, about["iou"])
boxes, scores, labels = boxes[keep], scores[keep], labels[keep]
"""
NMS_ACROSS = NMS.replace("labels.tolist()", "[0] * len(labels)")
NMS_DIOU = f"""waiting, keep = np.argsort(-scores, kind="stable").tolist(), []
while waiting:
    row, waiting = waiting[0], waiting[1:]
    keep.append(row)
    (ax, ay, bx, by), (cx, cy, dx, dy) = boxes[row], boxes[waiting].T
    shared = np.maximum(np.minimum(bx, dx) - np.maximum(ax, cx), 0) * np.maximum(
        np.minimum(by, dy) - np.maximum(ay, cy), 0)
    iou = shared / ((bx - ax) * (by - ay) + (dx - cx) * (dy - cy) - shared)
    apart = ((ax + bx - cx - dx) ** 2 + (ay + by - cy - dy) ** 2) / 4  # of the centres, squared
    hull = (np.maximum(bx, dx) - np.minimum(ax, cx)) ** 2 + (np.maximum(by, dy) - np.minimum(ay, cy)) ** 2
    power = {DIOU_POWERS!r}[about["nms_kind"]]
    stays = (iou - (apart / hull) ** power <= about["iou"]) | (labels[waiting] != labels[row])
    waiting = [one for one, stay in zip(waiting, stays) if stay]
boxes, scores, labels = boxes[keep], scores[keep], labels[keep]
"""

# --- in tiles: core.tiling in numpy ---

FIND = """

def find(image):  # boxes in its pixels, scores and labels
"""
HALF_ENOUGH = """there = (labels >= 0) & (scores >= least[labels] / 2) & (boxes[:, 2:] > boxes[:, :2]).all(1)
boxes, scores, labels = boxes[there], scores[there], labels[there]
"""
RETURN = """return boxes, scores, labels
"""
TILES = f"""

def starts(length):  # of the tiles along a side: the fewest that overlap enough, evenly spaced
    count = int(np.ceil(max(length - tile, 0) / (tile * (1 - about["tile_overlap"])))) + 1
    return np.linspace(0, max(length - tile, 0), count).round().astype(int)


tile, height, width = about["tiles"], image.shape[0], image.shape[1]
views = [(0, 0, width, height)]  # the whole photograph, then its tiles
if max(width, height) > tile:
    views += [(x, y, min(x + tile, width), min(y + tile, height)) for y in starts(height) for x in starts(width)]
seen = []
for number, (x, y, right, bottom) in enumerate(views):
    boxes, scores, labels = find(image[y:bottom, x:right])
    boxes = boxes + [x, y, x, y]
    near = max(1, {TOUCHES} * max(right - x, bottom - y))
    cut = (boxes[:, :2] <= [x + near, y + near]) & [x > 0, y > 0]  # ends at an inner border of the tile
    cut |= (boxes[:, 2:] >= [right - near, bottom - near]) & [right < width, bottom < height]
    seen.append((boxes, scores, labels, cut.any(1), np.full(len(boxes), number)))
boxes, scores, labels, cut, view = (np.concatenate(parts) for parts in zip(*seen))
area, half = (boxes[:, 2:] - boxes[:, :2]).prod(1), np.zeros(len(boxes), bool)
for row in np.flatnonzero(cut):  # whether another view sees better what most of it lies in
    shared = (np.minimum(boxes[row, 2:], boxes[:, 2:]) - np.maximum(boxes[row, :2], boxes[:, :2])).clip(0).prod(1)
    better = (view != view[row]) & (labels == labels[row]) & (~cut | (area > area[row]))
    better &= (scores >= {TRUSTED} * scores[row]) & (shared >= {HALF} * area[row])
    half[row] = better.any()
stays = ~half & (scores >= least[labels])
boxes, scores, labels = boxes[stays], scores[stays], labels[stays]
"""
