"""Former and other names follow their label through renames, merges and undo."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import replace
from typing import Any

import pytest

from tests.core.test_document import document
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.former_names import (
    SAID,
    current_label_names,
    former_names,
    network_names,
    of_labels,
    other_names,
    with_foreign_names,
)
from workbench.core.project import FormerName, Label

__all__ = ["document"]  # a fixture


def test_former_names_follow_their_label_until_another_label_has_them(document: Document) -> None:
    document.do(edits.AddLabels((Label(0, "RBC"), Label(0, "WBC"))))
    red, white = document.labels()[-2:]
    document.do(edits.ChangeLabel(dataclasses.replace(red, name="Erythrozyt")))
    assert former_names(document) == {"RBC": red.id}
    document.do(edits.MergeLabels(red.id, white.id))
    assert former_names(document) == {"RBC": white.id, "Erythrozyt": white.id}
    assert document.snapshot().former_names == (FormerName("RBC", "WBC"), FormerName("Erythrozyt", "WBC"))
    assert current_label_names(["RBC", "other"], document.snapshot().former_names) == ("WBC", "other")
    assert current_label_names(["RBC", "WBC"], document.snapshot().former_names) == ("RBC", "WBC"), (
        "it has a row of its own"
    )
    document.undo()
    document.do(edits.AddLabels((Label(0, "RBC"),)))
    assert former_names(document) == {}, "a network that was trained since means the new one"
    said = document.snapshot().former_names
    assert said == (FormerName("RBC", "Erythrozyt", red.id),)
    assert current_label_names(["RBC"], said) == ("RBC",)
    new = document.labels()[-1]
    for label, now in ((replace(red, name="RBC"), "Erythrozyt"), (new, "RBC")):
        assert current_label_names([label.name], of_labels([label], said)) == (now,), "their ids tell them apart"


def test_labels_that_swapped_their_names_are_told_apart_by_their_ids(document: Document) -> None:
    cat, dog = before = document.labels()
    for label, name in ((cat, "for now"), (dog, "cat"), (cat, "dog")):
        document.do(edits.ChangeLabel(replace(label, name=name)))
    said = document.snapshot().former_names
    assert current_label_names(["cat", "dog"], of_labels(before, said)) == ("dog", "cat")
    assert current_label_names(["cat", "dog"], of_labels(document.labels(), said)) == ("cat", "dog"), "trained since"
    assert current_label_names(["cat", "dog"], said) == ("cat", "dog"), "weights from elsewhere"


def test_a_name_that_several_labels_had_leads_each_network_to_its_own(document: Document) -> None:
    """The name alone means the last that gave it up."""
    cat, dog = document.labels()
    for label, name in ((cat, "Katze"), (dog, "cat"), (dog, "Hund")):
        document.do(edits.ChangeLabel(replace(label, name=name)))
    said = document.snapshot().former_names
    assert current_label_names(["cat"], said) == ("Hund",)
    assert current_label_names(["cat"], of_labels([cat], said)) == ("Katze",)
    assert current_label_names(["cat"], of_labels([replace(dog, name="cat")], said)) == ("Hund",)
    assert former_names(document) == {"cat": dog.id, "dog": dog.id}
    document.do(edits.RemoveLabel(cat.id))
    said = document.snapshot().former_names
    assert current_label_names(["cat"], of_labels([cat], said)) == ("cat",), "deleted, and no other label"
    assert other_names(document, [cat]) == {"dog": dog.id}
    document.undo()
    assert other_names(document, [cat]) == {"cat": cat.id, "dog": dog.id}


def test_a_merged_label_is_what_it_became_although_a_new_one_has_its_name(document: Document) -> None:
    cat, dog = document.labels()
    document.do(edits.MergeLabels(cat.id, dog.id))
    document.do(edits.AddLabels((Label(0, "cat"),)))
    assert other_names(document, [cat]) == {"cat": dog.id}
    assert other_names(document) == {}
    document.do(edits.AddLabels((Label(0, "bird"),)))
    document.do(edits.MergeLabels(dog.id, document.labels()[-1].id))
    assert other_names(document, [cat, dog]) == dict.fromkeys(("cat", "dog"), document.labels()[-1].id)
    document.undo()
    assert other_names(document, [cat, dog]) == {"cat": dog.id}


def test_a_merged_label_is_not_called_like_a_new_one_where_the_network_knows_both(document: Document) -> None:
    """What it finds would be taken for the new one's in every file that is written."""
    cat, dog = trained = document.labels()
    document.do(edits.MergeLabels(cat.id, dog.id))
    said = document.snapshot().former_names
    assert network_names(["cat", "dog"], trained, said) == ("cat", "dog"), "nobody else is called so"
    document.do(edits.AddLabels((Label(0, "cat"),)))
    said = document.snapshot().former_names
    assert network_names(["cat", "dog"], trained, said) == ("cat (now dog)", "dog")
    assert network_names(["cat"], [cat], said) == ("dog",)
    assert network_names(["cat", "dog"], document.labels(), said) == ("cat", "dog"), "trained since"
    assert network_names(["cat", "dog"], (), said) == ("cat", "dog"), "weights from elsewhere"


def test_what_a_label_became_goes_before_what_was_said_of_a_name_that_another_has_now(document: Document) -> None:
    cat, dog = document.labels()
    document.do(edits.ChangeSetting(SAID, {"cat": dog.id}))
    document.do(edits.ChangeLabel(replace(cat, name="Katze")))
    assert other_names(document, [cat]) == {"cat": dog.id}
    document.do(edits.AddLabels((Label(0, "cat"),)))
    assert other_names(document, [cat]) == {"cat": cat.id}


def test_names_of_a_project_of_an_earlier_version_are_read(document: Document) -> None:
    """There a name had one id, and that of a merged label was the one that it became."""
    cat, dog = document.labels()
    document.do(edits.ChangeSetting("labels.former names", {"Katze": cat.id, "Hund": dog.id}))
    document.do(edits.ChangeLabel(replace(cat, name="Hund")))
    document.do(edits.ChangeLabel(replace(cat, name="cat")))
    assert former_names(document) == {"Katze": cat.id, "Hund": cat.id}
    assert other_names(document, [replace(dog, name="Hund")]) == {"Katze": cat.id, "Hund": dog.id}


@pytest.mark.parametrize(
    ("names", "former", "called"),
    [
        (["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")], ("b", "c", "a")),
        (["a", "b"], [("a", "x"), ("b", "x")], ("x", "b")),
        (["a", "b", "c"], [("a", "c"), ("b", "a")], ("a", "b", "c")),
        (["a", "b"], [("a", "b", 1), ("b", "a", 2)], ("a", "b")),
    ],
)
def test_present_names_of_a_run_s_labels_are_never_the_same(
    names: list[str], former: list[Any], called: tuple[str, ...]
) -> None:
    assert current_label_names(names, itertools.starmap(FormerName, former)) == called


def test_a_name_that_undo_takes_from_a_label_is_one_of_its_former_names(document: Document) -> None:
    """A network may have been trained meanwhile."""
    document.do(edits.AddLabels((Label(0, "RBC"),)))
    red = document.labels()[-1]
    document.do(edits.ChangeLabel(dataclasses.replace(red, name="Erythrozyt")))
    document.undo()
    assert document.snapshot().former_names == (FormerName("Erythrozyt", "RBC"),)
    document.redo()
    assert document.snapshot().former_names == (FormerName("RBC", "Erythrozyt"),)
    document.undo()
    document.do(edits.ChangeLabel(dataclasses.replace(red, name="red")))
    assert former_names(document) == {"Erythrozyt": red.id, "RBC": red.id}


def test_what_a_person_says_of_a_networks_labels_is_another_name_and_follows_a_merge(document: Document) -> None:
    document.do(edits.AddLabels((Label(0, "worker"), Label(0, "staff"))))
    worker, staff = document.labels()[-2:]
    document.do(edits.ChangeSetting(SAID, {"person": worker.id, "gone": 99}))
    assert document.snapshot().former_names == (FormerName("person", "worker"),)
    assert former_names(document) == {}, "an imported file's labels are its own"
    document.do(edits.MergeLabels(worker.id, staff.id))
    assert other_names(document)["person"] == staff.id
    assert document.snapshot().former_names == (FormerName("worker", "staff"), FormerName("person", "staff"))
    document.undo()
    assert other_names(document)["person"] == worker.id
    document.do(edits.AddLabels((Label(0, "person"),)))
    assert document.snapshot().former_names == (), "a network that was trained since means the new one"


def test_names_that_undo_took_outlast_the_undo_of_earlier_edits(document: Document) -> None:
    document.do(edits.AddLabels((Label(0, "RBC"),)))
    red = document.labels()[-1]
    for name in ("Erythrozyt", "red"):
        document.do(edits.ChangeLabel(dataclasses.replace(red, name=name)))
    document.undo()
    document.undo()
    assert former_names(document) == {"Erythrozyt": red.id, "red": red.id}
    document.do(edits.MergeLabels(red.id, 1))
    assert former_names(document) == {"Erythrozyt": 1, "red": 1, "RBC": 1}
    document.undo()
    assert former_names(document) == {"Erythrozyt": red.id, "red": red.id}


def test_what_files_call_a_label_is_kept_but_not_the_name_that_another_one_has(document: Document) -> None:
    document.do(edits.AddLabels((Label(0, "RBC"), Label(0, "WBC"))))
    red, white = document.labels()[-2:]
    kept = with_foreign_names(document, {"Erythrozyt": red.id, "WBC": red.id})
    assert kept is not None
    assert kept.value == {"Erythrozyt": red.id}
    document.do(kept)
    assert with_foreign_names(document, {"Erythrozyt": red.id, "RBC": white.id}) is None, "nothing new"
