"""What users are promised, held to: each test with a negative control that must fail; short in CI, full when asked for.

WORKBENCH_FULL_PROMISES=1 runs the full numbers (two hours, one of them the soak); the short form takes a minute or two.
"""

from __future__ import annotations

import os

full = bool(os.environ.get("WORKBENCH_FULL_PROMISES"))


def times(short: int, whole: int) -> int:
    """How often: `short` as a rule, `whole` in the full form."""
    return whole if full else short
