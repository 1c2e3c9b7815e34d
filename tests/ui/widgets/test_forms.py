"""Forms made from settings: an editor for each kind of row, and problems in words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from workbench.detectors.parts.yolo_settings import YoloV4LossSettings
from workbench.errors import WorkbenchError
from workbench.settings import rows, setting
from workbench.training import differences
from workbench.ui.widgets.forms import Form


@dataclass(frozen=True)
class Example:
    count: int = setting(3, "How many.", low=1, high=9)
    learning_rate: float = setting(0.002, "How fast.", low=0.0, group="Speed")
    loud: bool = setting(True, "Whether.", group="Speed")
    kind: str = setting("one", "Which.", choices=("one", "two"), group="Speed")
    steps: tuple[float, ...] = setting((0.8, 0.9), "When.", group="Speed", called="Gives up after")
    threads: int | None = setting(None, "Cores.", low=1)


@pytest.fixture
def form(qtbot: QtBot) -> Form:
    form = Form("form")
    qtbot.addWidget(form)
    form.set_rows(rows(Example), ("",))
    form.show()
    return form


def editor(form: QWidget, name: str) -> QWidget:
    found = form.findChild(QWidget, f"form-{name}")
    assert found is not None
    return found


def test_the_form_begins_with_the_defaults(form: Form) -> None:
    assert form.values() == {
        "count": 3, "learning_rate": 0.002, "loud": True, "kind": "one", "steps": (0.8, 0.9), "threads": None,
    }  # fmt: skip


def test_choices_are_written_as_the_field_writes_them_and_kept_as_files_have_them(qtbot: QtBot) -> None:
    form = Form("form")
    qtbot.addWidget(form)
    form.set_rows(rows(YoloV4LossSettings), ("Loss",))
    combo = editor(form, "box_loss")
    assert isinstance(combo, QComboBox)
    assert [combo.itemText(row) for row in range(combo.count())] == ["CIoU", "DIoU", "GIoU", "IoU", "MSE"]
    assert form.values()["box_loss"] == "ciou"
    combo.setCurrentIndex(2)
    assert form.values()["box_loss"] == "giou"
    giou = replace(YoloV4LossSettings(), box_loss="giou")
    assert [one.words for one in differences.between(YoloV4LossSettings(), giou)] == ["Box loss: CIoU → GIoU"]


def test_each_kind_has_its_editor(form: Form) -> None:
    kinds = {"count": QLineEdit, "learning_rate": QLineEdit, "loud": QCheckBox, "kind": QComboBox, "steps": QLineEdit}
    for name, kind in kinds.items():
        assert isinstance(editor(form, name), kind)


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [("count", "7", 7), ("learning_rate", "1e-5", 1e-5), ("steps", "0.5 0.75", (0.5, 0.75)), ("threads", "4", 4)],
)
def test_what_is_typed_becomes_the_value(form: Form, qtbot: QtBot, name: str, typed: str, value: object) -> None:
    line = editor(form, name)
    assert isinstance(line, QLineEdit)
    with qtbot.waitSignal(form.changed):
        line.setText(typed)
    assert form.values()[name] == value


@pytest.mark.parametrize(
    ("name", "title", "typed"),
    [
        ("count", "Count", "10"), ("count", "Count", "x"), ("learning_rate", "Learning rate", "-1"),
        ("steps", "Gives up after", "a b"),
    ],
)  # fmt: skip
def test_what_is_not_valid_is_said_beside_the_editor_by_the_name_of_its_row(
    form: Form, name: str, title: str, typed: str
) -> None:
    line, wrong = editor(form, name), form.findChild(QLabel, f"form-{name}-problem")
    assert isinstance(line, QLineEdit)
    assert isinstance(wrong, QLabel)
    before = line.text()
    line.setText(typed)
    assert title in [label.text() for label in form.findChildren(QLabel)]
    assert wrong.text().startswith(f"{title} must be")
    assert form.problems() == {name: wrong.text()}
    with pytest.raises(WorkbenchError):
        form.values()
    line.setText(before)
    assert form.problems() == {}
    assert wrong.isHidden()


def test_values_can_be_put_in_and_unknown_ones_are_passed_over(form: Form) -> None:
    form.set_values({"kind": "two", "loud": False, "count": 5, "elsewhere": 1})
    values = form.values()
    assert (values["kind"], values["loud"], values["count"]) == ("two", False, 5)


def test_groups_fold(form: Form, qtbot: QtBot) -> None:
    head = form.findChild(QWidget, "form-group-Speed")
    assert head is not None
    assert not editor(form, "learning_rate").isVisible()
    head.click()  # type: ignore[attr-defined]
    assert editor(form, "learning_rate").isVisible()
    head.click()  # type: ignore[attr-defined]
    assert not editor(form, "learning_rate").isVisible()
