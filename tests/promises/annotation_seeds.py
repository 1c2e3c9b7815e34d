"""One annotation file of every format with what is rare in it, for parsers that get it damaged: quotes, marks, turned
boxes, outlines, percent signs, names with letters beyond ASCII."""

from __future__ import annotations

from collections.abc import Callable

from workbench.formats.parts.coco_json import parse_coco
from workbench.formats.parts.createml_json import parse_createml
from workbench.formats.parts.cvat_xml import parse_cvat
from workbench.formats.parts.kitti_txt import parse_kitti
from workbench.formats.parts.labelme_json import parse_labelme
from workbench.formats.parts.labelstudio_json import parse_labelstudio
from workbench.formats.parts.openimages_csv import parse_boxes
from workbench.formats.parts.tfcsv_rows import parse_tfcsv
from workbench.formats.parts.voc_xml import parse_voc
from workbench.formats.parts.vott_json import parse_vott
from workbench.formats.parts.yolo_txt import parse_yolo

SEEDS: dict[str, tuple[Callable[[bytes, str], object], bytes]] = {
    "voc": (
        parse_voc,
        b'<?xml version="1.0"?>\n<annotation verified="yes"><filename>a.jpg</filename>\n<size><width>640</width>'
        b"<height>480</height><depth>3</depth></size>\n<object><name>cat</name><pose>Left</pose><difficult>1</difficult>"
        b"<bndbox>\n<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>\n</annotation>",
    ),
    "coco": (
        parse_coco,
        b'{"images": [{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}],\n"annotations": [{"id": 1,'
        b' "image_id": 1, "category_id": 7, "bbox": [1, 2.5, 3e1, 4], "iscrowd": 0, "attributes": {"a": [1, "b"]}},\n'
        b'{"id": 2, "image_id": 1, "category_id": 7, "segmentation": [[1, 2, 3, 4, 5, 6]]}],\n'
        b'"categories": [{"id": 7, "name": "c\\u00e4t"}]}',
    ),
    "labelme": (
        parse_labelme,
        b'{"version": "7.9.1", "flags": {}, "shapes": [{"label": "c\\u00e4t", "points": [[30.5, 40], [1, 2e0]],\n'
        b'"group_id": 1, "description": "x", "shape_type": "rectangle", "flags": {"occluded": true}, "mask": null},\n'
        b'{"label": "dog", "points": [[1, 2], [5, 2], [5, 6], [1, 6]], "shape_type": "rectangle", "score": 0.5}],\n'
        b'"imagePath": "..\\\\a.jpg", "imageData": null, "imageHeight": 480, "imageWidth": 640, "checked": true}',
    ),
    "createml": (
        parse_createml,
        b'[{"image": "a.jpg", "verified": true, "annotations": [{"label": "c\\u00e4t", "coordinates":\n{"x": 20.5,'
        b' "y": 30, "width": 1e1, "height": 4}, "id": 7}, {"label": "dog", "coordinates": {"x": 2, "y": 3, "width": 1,'
        b' "height": 1}}]},\n{"imagefilename": "b.jpg", "annotation": []}]',
    ),
    "yolo": (parse_yolo, b"0 0.5 0.5 0.25 0.125\n1 0.1 0.2 0.1 0.2 0.9\r\n2 0.1 0.1 0.2 0.1 0.2 0.2\n"),
    "cvat": (
        parse_cvat,
        b'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta><task>'
        b"<mode>annotation</mode><labels><label><name>c\xc3\xa4t</name></label></labels></task></meta>\n"
        b'<image id="0" name="a.jpg" width="640" height="480"><box label="c\xc3\xa4t" occluded="1" xtl="1.00" ytl="2.5"'
        b' xbr="3e1" ybr="40" rotation="30" z_order="0">\n<attribute name="difficult">true</attribute></box>'
        b'<polygon label="dog" points="1,2;3.5,4;6,5"/></image>\n<track id="0" label="dog"><box frame="3" outside="0"'
        b' occluded="0" keyframe="1" xtl="1" ytl="2" xbr="3" ybr="4"/></track></annotations>',
    ),
    "tfcsv": (
        parse_tfcsv,
        b"filename,width,height,class,xmin,ymin,xmax,ymax,pose\nraccoon-1.jpg,650,417,raccoon,81,88,522,408,Left\r\n"
        b'a.jpg,640,480,"a ""b"", c",0.5,1,1e2,30,\na.jpg,640,480,cat,0,0,640,480,\nb.jpg,640,480,,,,,,\n',
    ),
    "openimages": (
        parse_boxes,
        b"ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
        b"\n000026e7ee790996,freeform,/m/07j7r,1,0.071905,0.145346,0.206591,0.391306,0,1,1,0,0\n"
        b"000062a39995e348,xclick,/m/015p6,1,0.205719,0.849912,0.154144,1.000000,-1,-1,-1,-1,-1\n",
    ),
    "kitti": (
        parse_kitti,
        b"Truck 0.00 0 -1.57 599.41 156.40 629.75 189.25 2.85 2.63 12.34 0.47 1.49 69.44 -1.56\nCar 0.35 2 1.85 387.63"
        b" 181.54 423.81 203.12 1.67 1.87 3.69 -16.53 2.39 58.49 1.57 0.9\r\nDontCare -1 -1 -10 503.89 169.71 590.61"
        b" 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n",
    ),
    "labelstudio": (
        parse_labelstudio,
        b'[{"id": 1, "data": {"image": "/data/upload/3/0a1b2c3d-a%20b.jpg"}, "annotations": [{"was_cancelled": false,\n'
        b'"updated_at": "2022-12-27T21:04:40.495704Z", "result": [{"original_width": 640, "original_height": 480, "id":'
        b' "x", "from_name": "label", "to_name": "image", "type": "rectanglelabels", "meta": {"text": ["n"]}, "value":'
        b' {"x": 10.5, "y": 2e1, "width": 30, "height": 4, "rotation": 15, "rectanglelabels": ["c\\u00e4t"]}},\n'
        b'{"id": "x", "type": "choices", "from_name": "attributes", "value": {"choices": ["difficult"]}}]}]},\n'
        b'{"image": "b.jpg", "id": 2, "annotation_id": 4, "label": [{"x": 1, "y": 2, "width": 3, "height": 4,'
        b' "rectanglelabels": ["dog"], "original_width": 64, "original_height": 48}]}]',
    ),
    "vott": (
        parse_vott,
        b'{"name": "p", "tags": [{"name": "c\\u00e4t", "color": "#5db300"}], "version": "2.2.0",\n"assets": {"0d3d":'
        b' {"asset": {"format": "jpg", "id": "0d3d", "name": "a%20b.jpg", "path": "file:/p/a%20b.jpg", "size":'
        b' {"width": 640, "height": 480}, "state": 2, "type": 1},\n"regions": [{"id": "BsO3zj9bn", "type":'
        b' "RECTANGLE", "tags": ["cat", "dog"], "boundingBox": {"height": 2.5, "width": 1e1, "left":'
        b' 5, "top": 10}},\n{"id": "x", "type":'
        b' "POLYGON", "tags": ["cat"], "points": [{"x": 5, "y": 10}, {"x": 15, "y": 12}]}]}}}',
    ),
}
