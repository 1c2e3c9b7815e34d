"""The sentences for files that are not images or cannot be opened: what they are instead, and what to do."""

from __future__ import annotations

from workbench.core import macos_privacy, windows_files
from workbench.core.decoding import heic

# First bytes -> what the file is. Compared ignoring case, after leading white space.
_LOOKS_LIKE = (
    ((b"<!doctype html", b"<html", b"<head", b"<!--"), "a web page", "the download went wrong, so download it again"),
    ((b"<svg", b"<?xml"), "an XML or SVG file", "export it as PNG or JPEG"),
    ((b"%pdf",), "a PDF", "export its pages as PNG or JPEG"),
    ((b"version https://git-lfs",), "a Git LFS placeholder", "run `git lfs pull` in its folder"),
    ((b"pk\x03\x04",), "a zip archive", "unpack it"),
    ((b"{", b"["), "a JSON file", "download the picture again"),
)
_SOUND_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM")


def not_an_image(head: bytes) -> str:
    """The sentence for a file that begins with `head` and that no decoder recognises."""
    start = head.lstrip().lower()
    for beginnings, name, advice in _LOOKS_LIKE:
        if start.startswith(beginnings):
            return f"this is {name}, not an image; {advice}"
    if heic.is_heic(head):
        if heic.is_ready():
            return "this HEIC photograph is damaged or cut off; copy it again, or export it as JPEG"
        return f"this is a HEIC photograph, which needs one more install: {heic.INSTALL}; or export it as JPEG"
    if head[4:8] == b"ftyp":
        return "this is a video or another container, not an image; export its frames as JPEG"
    if head.startswith(_SOUND_STARTS):
        return "the picture is damaged or cut off near its beginning; copy or download it again"
    return "this is not an image of a known format (JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC); export it as PNG or JPEG"


def not_readable(problem: OSError | ValueError) -> str:
    """The sentence for a file that the system can't open or read."""
    match problem:
        case PermissionError() if macos_privacy.is_privacy_error(problem):
            return f"it can't be read: {macos_privacy.ALLOW}"
        case OSError() if windows_files.is_in_use(problem):
            return "another program has it open and lets nobody else read it; close it there"
        case FileNotFoundError() if windows_files.is_too_long(problem):
            return "its path is longer than Windows allows; move it to a folder with a shorter one"
        case PermissionError():
            return "you have no permission to read it; change its permissions"
        case FileNotFoundError() | NotADirectoryError():
            return "the file is not there; put it back or remove the image from the project"
        case OSError():
            return f"the disk could not read it ({problem.strerror}); check the drive or the connection"
    return "no file can have this name; rename it"
