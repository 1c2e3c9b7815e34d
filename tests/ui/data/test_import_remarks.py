"""How remarks of an import are put together, and the lines of an error taken apart."""

from __future__ import annotations

from workbench.errors import Refused, WorkbenchError
from workbench.formats import Remark
from workbench.formats.parts.report import Report, combine_errors
from workbench.ui.data.importing.remark_groups import (
    LISTED,
    RemarkGroup,
    clipboard_text,
    count,
    damage_groups,
    group_remarks,
    listed_groups,
)


def test_sentences_that_differ_in_numbers_and_names_only_are_of_one_kind() -> None:
    told = [Remark("read", "a.xml", n, f"The box of 'cat {n}' at {n}.5, 2 has zero size.") for n in (1, 2)]
    (group,) = group_remarks([*told, Remark("repaired", "a.xml", 3, "The corners were swapped.")], "read")
    assert (group.sentence, group.count) == ("The box of … at …, … has zero size.", 2)
    assert group.heading == "The box of 'cat 1' at 1.5, 2 has zero size. 1 more like this."


def test_a_heading_has_no_holes_where_the_numbers_of_one_file_were() -> None:
    told = [Remark("read", f"{n}.xml", 0, f"Boxes reach outside ({n} of 12 boxes).") for n in (3, 4)]
    (group,) = group_remarks(told, "read")
    assert group.sentence == group.heading == "Boxes reach outside."


def test_one_remark_is_told_in_its_own_words() -> None:
    (group,) = group_remarks([Remark("read", "a.xml", 1, "The box at 1, 2 has zero size.")], "read")
    assert group.sentence == "The box at 1, 2 has zero size."


def test_what_must_be_right_before_anything_else_comes_first() -> None:
    sentences = ["Something often.", "Something often.", "Its EXIF orientation is 6.", "Pixels are counted from 1."]
    groups = group_remarks([Remark("read", "", 0, sentence) for sentence in sentences], "read")
    assert [group.sentence for group in groups] == [sentences[3], sentences[2], sentences[0]]


def test_remarks_that_were_only_counted_count_to_their_kind() -> None:
    report = Report()
    for number in range(1000):
        report.say("refused", f"{number}.txt", f"There is no image {number}.", kind="listed without a file")
    (group,) = group_remarks(report.remarks, "refused")
    assert (group.count, len(group.remarks)) == (1000, 20)
    assert clipboard_text((group,)).endswith("... and 980 more: There is no image ….")


def test_remarks_that_were_only_counted_stand_alone_where_it_is_not_sure_whose_they_are() -> None:
    report = Report()
    for number in range(100):
        report.say("refused", f"{number}.txt", f"There is no image {number}.", kind="one")
        report.say("refused", f"{number}.txt", f"It is the same as {number}.", kind="two")
    groups = group_remarks(report.remarks, "refused")
    assert len(groups) == 4
    assert count(groups) == 200


def test_an_error_is_taken_apart_into_file_line_and_reason() -> None:
    error = combine_errors([Refused(f"labels/{n}.txt", f"{n} values: too few", n) for n in range(1, 31)])
    groups, ending = damage_groups(error)
    assert [(g.remarks[0].file, g.remarks[0].line, g.sentence) for g in groups[:2]] == [
        ("labels/1.txt", 1, "1 values: too few"),
        ("labels/2.txt", 2, "2 values: too few"),
    ]
    assert groups[-1].sentence == "... and 10 more"
    assert ending.startswith("30 things can't be read")


def test_an_error_of_one_sentence_is_left_whole() -> None:
    groups, ending = damage_groups(WorkbenchError("There is no file or folder /a: b."))
    assert [group.sentence for group in groups] == ["There is no file or folder /a: b."]
    assert ending == ""


def test_a_list_shows_so_many_kinds_and_says_that_there_are_more() -> None:
    groups = [RemarkGroup(f"kind {n}", 2, ()) for n in range(LISTED + 10)]
    assert len(listed_groups(groups)) == LISTED + 1
    assert listed_groups(groups)[-1].count == 20
    assert len(listed_groups(groups[:LISTED])) == LISTED
