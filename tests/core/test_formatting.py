"""Numbers in words: the same ones everywhere in the program."""

from __future__ import annotations

import math

import pytest

from workbench.core import formatting


@pytest.mark.parametrize(
    ("number", "noun", "said"), [(1, "box", "1 box"), (0, "box", "0 boxes"), (2000, "image", "2,000 images")]
)
def test_a_count_has_its_noun_in_the_right_number(number: int, noun: str, said: str) -> None:
    assert formatting.count(number, noun) == said
    assert formatting.count(number, noun, "was") == f"{said} {'was' if number == 1 else 'were'}"


def test_a_count_takes_its_verb_along() -> None:
    said = [formatting.count(number, "box", verb) for verb in ("is", "was", "has") for number in (1, 1200)]
    assert said == ["1 box is", "1,200 boxes are", "1 box was", "1,200 boxes were", "1 box has", "1,200 boxes have"]


@pytest.mark.parametrize(
    ("names", "most", "said"), [(["a"], 5, "a"), (["a", "b"], 2, "a, b"), (["x"] * 2003, 1, "x and 2,002 more")]
)
def test_of_many_names_the_first_are_said_and_the_others_counted(names: list[str], most: int, said: str) -> None:
    assert formatting.named(names, most) == said


@pytest.mark.parametrize(
    ("share", "digits", "said"),
    [(0.886, 1, "88.6 %"), (0.886, 0, "89 %"), (0, 1, "0.0 %"), (1, 0, "100 %"), (0.9999, 1, "99.9 %"),
     (0.999, 0, "99 %"), (0.00001, 1, "0.1 %"), (0.001, 0, "1 %"), (0.00126, 2, "0.13 %"), (1.5, 0, "150 %"),
     (1 - 5e-12, 1, "100.0 %")],
)  # fmt: skip
def test_only_all_is_a_hundred_percent_and_only_nothing_is_none(share: float, digits: int, said: str) -> None:
    assert formatting.percent(share, digits) == said


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [(0.886, 3, "0.886"), (0.9996, 3, "0.999"), (0.0002, 3, "0.001"), (0, 3, "0.000"), (1, 3, "1.000"),
     (1 - 2e-16, 3, "1.000"), (0.996, 2, "0.99"), (math.nan, 3, "–")],
)  # fmt: skip
def test_only_what_is_perfect_is_one_and_what_does_not_exist_is_a_dash(value: float, digits: int, said: str) -> None:
    assert formatting.share(value, digits) == said


@pytest.mark.parametrize(
    ("speed", "said"),
    [(0, "0 images/s"), (0.042, "0.042 images/s"), (3.44, "3.4 images/s"), (9.96, "10 images/s"),
     (1250.4, "1,250 images/s")],
)  # fmt: skip
def test_a_slow_training_is_not_said_to_stand_still(speed: float, said: str) -> None:
    assert formatting.speed(speed) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (999.6, "1.0 kB"), (8_440, "8.4 kB"), (9_960, "10 kB"),
     (999_400, "999 kB"), (999_600, "1.0 MB"), (23_600_000, "24 MB"), (136e6, "136 MB"), (1.26e9, "1.3 GB"),
     (160e9, "160 GB"), (2.5e12, "2.5 TB"), (1.2e15, "1,200.0 TB")],
)  # fmt: skip
def test_bytes_have_the_unit_in_which_they_are_short(number: float, said: str) -> None:
    assert formatting.size(number) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0:00"), (-3, "0:00"), (59.6, "1:00"), (190, "3:10"), (3725, "1:02:05"), (math.nan, "?"), (math.inf, "?")],
)
def test_a_time_is_told_to_the_second(seconds: float, said: str) -> None:
    assert formatting.duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (99, "99 s"), (100, "2 min"), (5900, "98 min"), (6000, "1.7 h"), (90_000, "25.0 h"),
     (200_000, "2.3 days")],
)  # fmt: skip
def test_a_rough_time_has_the_unit_in_which_it_is_short(seconds: float, said: str) -> None:
    assert formatting.rough_duration(seconds) == said


def test_a_strangers_text_keeps_its_letters_and_loses_what_hides_or_turns_them() -> None:
    assert formatting.visible("Zelle groß\n猫\u202e") == "Zelle groß?猫?"
    assert formatting.visible("x" * 81) == "x" * 79 + "…"
