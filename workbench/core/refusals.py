"""The sentences for files that are not images or cannot be opened: what it is instead, and what to do."""

from __future__ import annotations

from workbench.core import heic, in_use, privacy

# First bytes -> what the file is. Compared without case after leading white space.
_LOOKS_LIKE = (
    ((b"<!doctype html", b"<html", b"<head", b"<!--"), "a web page", "the download went wrong, fetch it again"),
    ((b"<svg", b"<?xml"), "an XML or SVG text", "export it as PNG or JPEG"),
    ((b"%pdf",), "a PDF", "export its pages as PNG or JPEG"),
    ((b"version https://git-lfs",), "a placeholder of Git LFS", "run `git lfs pull` in its folder"),
    ((b"pk\x03\x04",), "a zip archive", "unpack it"),
    ((b"{", b"["), "a JSON text", "fetch the picture again"),
)
_SOUND_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM")


def not_an_image(head: bytes) -> str:
    """The sentence for a file that begins with `head` and that no decoder knows."""
    start = head.lstrip().lower()
    for beginnings, name, advice in _LOOKS_LIKE:
        if start.startswith(beginnings):
            return f"this is {name}, not an image; {advice}"
    if heic.is_heic(head):
        if heic.is_ready():
            return "this HEIC photograph is damaged or cut off; copy it again, or export it as JPEG"
        return f"this is a HEIC photograph, which takes one more install: {heic.INSTALL}; or export it as JPEG"
    if head[4:8] == b"ftyp":
        return "this is a video or another container, not an image; export its frames as JPEG"
    if head.startswith(_SOUND_STARTS):
        return "the picture is damaged or cut off at its very beginning; copy or download it again"
    return "this is not an image of a known format (JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC); export it as PNG or JPEG"


def not_readable(problem: OSError | ValueError) -> str:
    """The sentence for a file that the system does not hand out."""
    match problem:
        case PermissionError() if privacy.keeps(problem):
            return f"it can't be read: {privacy.ALLOW}"
        case OSError() if in_use.is_in_use(problem):
            return "another program has it open and lets nobody else read it; close it there"
        case FileNotFoundError() if in_use.is_too_long(problem):
            return "its path is longer than Windows takes; move it to a folder with a shorter one"
        case PermissionError():
            return "reading it is not allowed; give yourself permission to read it"
        case FileNotFoundError() | NotADirectoryError():
            return "the file is not there; put it back or remove the image from the project"
        case OSError():
            return f"the disk could not deliver it ({problem.strerror}); check the drive or the connection"
    return "no file can have this name; rename it"
