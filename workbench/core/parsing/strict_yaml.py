"""Foreign YAML, read strictly: every scalar is text, no anchors or aliases, no duplicate keys, limited size.

Text only, because YAML turns labels called no, on, 3.0 and 12:30:45 into False, True, 3.0 and 45045; no aliases,
because safe_load expands alias bombs for minutes (reference/reliability.md, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from workbench.core.parsing import strict_text
from workbench.errors import Refused

SIZE_LIMIT = 1 << 20
DEPTH_LIMIT = 32


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its line: text, a list of nodes, or a table of nodes by key."""

    value: str | tuple[Node, ...] | dict[str, Node]
    line: int

    @property
    def text(self) -> str | None:
        return self.value if isinstance(self.value, str) else None

    @property
    def items(self) -> tuple[Node, ...] | None:
        return self.value if isinstance(self.value, tuple) else None

    @property
    def table(self) -> dict[str, Node] | None:
        return self.value if isinstance(self.value, dict) else None


def parse(data: bytes, file: str) -> dict[str, Node]:
    """The table at the top of a YAML document. Raises Refused with the line."""
    strict_text.check_size(data, file, SIZE_LIMIT, "YAML files")
    text = strict_text.decode(data, file)
    try:
        root = yaml.compose(text, Loader=_loader(file))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise Refused(file, f"not valid YAML: {error.problem or error.context}", line=line, cause=error) from error
    except yaml.reader.ReaderError as error:  # a control character; it gives the position in the text, but no line
        line = text.count("\n", 0, error.position) + 1
        raise Refused(file, f"not valid YAML: {error.reason}", line=line, cause=error) from error
    except yaml.YAMLError as error:
        raise Refused(file, f"not valid YAML: {str(error).splitlines()[0]}", cause=error) from error
    node = _node(root, file) if root is not None else None
    if node is None or node.table is None:
        raise Refused(file, "expected a list of 'key: value' lines", line=1)
    return node.table


def _loader(file: str) -> type[yaml.BaseLoader]:
    class Loader(yaml.BaseLoader):
        depth = 0

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            event = self.peek_event()  # type: ignore[no-untyped-call]
            line = event.start_mark.line + 1
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise Refused(
                    file, "it uses YAML anchors (& or *), which are not supported; write the values out", line=line
                )
            if self.depth >= DEPTH_LIMIT:
                raise Refused(file, f"nested more than {DEPTH_LIMIT} deep", line=line)
            self.depth += 1
            try:
                return super().compose_node(parent, index)
            finally:
                self.depth -= 1

    return Loader


def _node(node: yaml.Node, file: str) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return Node(tuple(_node(child, file) for child in node.value), line)
    if not isinstance(node, yaml.MappingNode):
        return Node(str(node.value), line)
    table: dict[str, Node] = {}
    for key, value in node.value:
        place = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise Refused(file, "a key must be plain text", line=place)
        if key.value in table:
            raise Refused(file, f"the key '{key.value[:60]}' occurs twice", line=place)
        table[key.value] = _node(value, file)
    return Node(table, line)
