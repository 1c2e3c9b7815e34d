"""How a detector is called on the screen: by its title, once PyTorch is there, which knows them."""

from __future__ import annotations

from workbench.detectors import detectors


def titled(detector: str) -> str:
    """The title of a detector, or its name as long as nothing was loaded and where there is none of that name."""
    return detectors.get(detector).title if detector in detectors.names() else detector
