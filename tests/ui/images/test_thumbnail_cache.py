"""The thumbnails on disk take a bounded room: those of changed files and those not seen for longest go."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from workbench.ui.images import thumbnail_cache

JPEG = bytes(8000)


def keys(cache: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(cache)) as connection:
        return [row[0] for row in connection.execute("SELECT key FROM thumbnail ORDER BY rowid")]


def store(cache: Path, name: str, after: str = "|1|2|208") -> None:
    thumbnail_cache.store(cache, Path(name), f"{name}{after}", JPEG)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / thumbnail_cache.FILE


def test_those_not_used_for_longest_go_when_all_are_too_large(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries stayed for ever: of images long gone from the project, too."""
    monkeypatch.setattr(thumbnail_cache, "SIZE", 1_000_000)
    monkeypatch.setattr(thumbnail_cache, "EACH", 10)
    monkeypatch.setattr(thumbnail_cache, "_today", lambda: 1)
    for number in range(100):
        store(cache, f"/a/{number}.jpg")
    assert len(keys(cache)) == 100
    monkeypatch.setattr(thumbnail_cache, "_today", lambda: 20)
    assert thumbnail_cache.load(cache, "/a/0.jpg|1|2|208") == JPEG
    for number in range(100, 1000):
        store(cache, f"/a/{number}.jpg")
        assert cache.stat().st_size < 1_400_000
    left = keys(cache)
    assert "/a/999.jpg|1|2|208" in left
    assert "/a/1.jpg|1|2|208" not in left
    assert 70 < len(left) < 125


def test_one_that_was_seen_lately_outlasts_those_made_before_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnail_cache, "SIZE", 500_000)
    monkeypatch.setattr(thumbnail_cache, "EACH", 10)
    monkeypatch.setattr(thumbnail_cache, "_today", lambda: 1)
    for number in range(40):
        store(cache, f"/a/{number}.jpg")
    monkeypatch.setattr(thumbnail_cache, "_today", lambda: 20)
    thumbnail_cache.load(cache, "/a/0.jpg|1|2|208")
    monkeypatch.setattr(thumbnail_cache, "_today", lambda: 10)
    for number in range(40, 70):
        store(cache, f"/a/{number}.jpg")
    left = keys(cache)
    assert "/a/0.jpg|1|2|208" in left
    assert "/a/1.jpg|1|2|208" not in left


def test_a_changed_file_has_one_thumbnail_in_each_way_of_showing_it(cache: Path) -> None:
    for after in ("|1|2|208", "|1|2|208|0 to 9", "|5|2|208", "|5|2|208|0 to 9"):
        store(cache, "/a/b.jpg", after)
        store(cache, "/a/b.jpg2", after)
    assert [key for key in keys(cache) if key.startswith("/a/b.jpg|")] == [
        "/a/b.jpg|5|2|208",
        "/a/b.jpg|5|2|208|0 to 9",
    ]
    assert thumbnail_cache.last_seen(cache, [Path("/a/b.jpg")]) == {Path("/a/b.jpg"): (5, 2)}


def test_the_file_of_an_earlier_version_is_used_on(cache: Path) -> None:
    cache.parent.mkdir()
    with contextlib.closing(sqlite3.connect(cache)) as old, old:
        old.execute("CREATE TABLE thumbnail (key TEXT PRIMARY KEY, jpeg BLOB NOT NULL)")
        old.execute("INSERT INTO thumbnail VALUES ('/a/b.jpg|1|2|208', ?)", (JPEG,))
    kept = cache.read_bytes()
    assert thumbnail_cache.load(cache, "/a/b.jpg|1|2|208") == JPEG
    assert cache.read_bytes() == kept, "it may lie on a disk that can only be read"
    store(cache, "/a/c.jpg")
    assert len(keys(cache)) == 2
