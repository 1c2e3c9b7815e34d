"""Text can be read in both themes."""

from __future__ import annotations

import pytest

from workbench.core.project import LABEL_COLOURS
from workbench.ui import theme


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_has_a_contrast_of_four_and_a_half_on_every_ground(colours: theme.Colours) -> None:
    for ground in (colours.window, colours.surface, colours.raised, colours.hover, colours.plot):
        for ink in ("text", "muted", "accent", "ok", "warning", "error", "hit", "miss", "false_alarm"):
            assert theme.contrast(getattr(colours, ink), ground) >= 4.5, (ink, ground)
    assert theme.contrast(colours.on_accent, colours.accent) >= 4.5


def test_names_on_label_colours_can_be_read() -> None:
    for colour in LABEL_COLOURS:
        assert theme.contrast(theme.text_on(colour), colour) >= 4.5


def test_contrast_of_black_on_white_is_twenty_one() -> None:
    assert theme.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert theme.contrast("#777777", "#777777") == pytest.approx(1)
