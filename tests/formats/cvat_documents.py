"""CVAT documents for its tests, as CVAT 2.x writes them, without the lines that say who made the task and when."""

from __future__ import annotations

import json

from workbench.formats import ReadBox, Reading
from workbench.formats.parts.cvat_xml import CvatFile, parse_cvat

# "CVAT for images 1.1"
TASK = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id>
      <name>street</name>
      <size>2</size>
      <mode>annotation</mode>
      <subset>{subset}</subset>
      <start_frame>0</start_frame>
      <stop_frame>1</stop_frame>
      <labels>
        <label>
          <name>dog</name>
          <color>#fa3253</color>
          <type>any</type>
          <attributes>
          </attributes>
        </label>
        <label>
          <name>cat</name>
          <color>#ff6037</color>
          <type>any</type>
          <attributes>
            <attribute>
              <name>difficult</name>
              <mutable>False</mutable>
              <input_type>checkbox</input_type>
              <default_value>false</default_value>
              <values>false</values>
            </attribute>
          </attributes>
        </label>
        <label>
          <name>nose</name>
          <type>points</type>
          <parent>face</parent>
        </label>
      </labels>
    </task>
    <dumped>2024-05-02 10:00:00.000000+00:00</dumped>
  </meta>
{images}
</annotations>
"""
PLAIN = (
    '<box label="cat" source="manual" occluded="0" xtl="1.25" ytl="2.00" xbr="10.50" ybr="20.00" z_order="0">\n</box>'
)

# "CVAT for video 1.1"
VIDEO = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <mode>interpolation</mode>
      <labels><label><name>car</name></label></labels>
      <original_size>
        <width>40</width>
        <height>30</height>
      </original_size>
    </task>
    <source>street.mp4</source>
  </meta>
{tracks}
</annotations>
"""


def image(*shapes: str, name: str = "a.jpg", more: str = "") -> str:
    return f'<image id="0" name="{name}" width="40" height="30"{more}>\n' + "\n".join(shapes) + "\n</image>"


def task(*images: str, subset: str = "default") -> str:
    return TASK.format(subset=subset, images="\n".join(images))


def track(*frames: str, more: str = 'id="0" label="car" source="manual"') -> str:
    return f"<track {more}>\n" + "\n".join(frames) + "\n</track>"


def at(frame: int, outside: int = 0, keyframe: int = 1, more: str = "") -> str:
    return (
        f'<box frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="0" xtl="1.00" ytl="2.00"'
        f' xbr="{3 + frame}.00" ybr="4.00" z_order="0">\n{more}</box>'
    )


def parse(*shapes: str) -> CvatFile:
    return parse_cvat(task(image(*shapes)).encode(), "x.xml")


def video(*tracks: str) -> CvatFile:
    return parse_cvat(VIDEO.format(tracks="\n".join(tracks)).encode(), "x.xml")


def sentences(reading: Reading, level: str) -> set[str]:
    return {remark.sentence for remark in reading.remarks if remark.level == level}


def only_box(read: CvatFile) -> ReadBox:
    assert not read.broken
    (one,) = [box for image in read.images for box in image.boxes]
    return one


def extra(box: ReadBox) -> object:
    return json.loads(box.extra)["cvat"] if box.extra else {}
