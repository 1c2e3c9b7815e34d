"""What the Export page does in threads: listing the formats (which loads PyTorch), and writing and checking files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.core.document import snapshot_of
from workbench.core.project import Snapshot, Split
from workbench.inference.events import ExportEvent
from workbench.inference.exporters import ExportSettings
from workbench.inference.exporting.verification_images import choose_images


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """A format as the page shows it. `missing`: packages that must be installed first."""

    name: str
    title: str
    summary: str
    file: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FormatsLoaded:
    """All available formats."""

    choices: tuple[FormatChoice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ExportRequest:
    """Write `checkpoint` as each of `formats` into `folder`, verified on some of `images`.

    `snapshot` is described in the model card.
    """

    checkpoint: Path
    folder: Path
    formats: tuple[str, ...]
    images: tuple[Path, ...]
    settings: ExportSettings
    snapshot: Snapshot | None = None

    def of_project(self, folder: Path) -> ExportRequest:
        """With the images and the snapshot of the project as it is on disk: call it in the job."""
        snapshot = snapshot_of(folder)
        images = choose_images(snapshot.files, [image.split is Split.VALIDATION for image in snapshot.images])
        return replace(self, images=tuple(images), snapshot=snapshot)


@dataclass(frozen=True, slots=True)
class UnfitFormats:
    """For each detector, by name: which formats can't hold it, and why."""

    reasons: Mapping[str, Mapping[str, str]]


Export = Callable[[ExportRequest], Iterator[ExportEvent]]


def load() -> Iterator[FormatsLoaded | UnfitFormats]:
    """Yields the formats, then what each can't hold; imports PyTorch."""
    from workbench import detectors, plugins
    from workbench.inference import exporters

    plugins.loaded()
    yield FormatsLoaded(
        tuple(
            FormatChoice(
                name,
                member.title,
                member.summary,
                member.file,
                exporters.missing_packages(member),
            )
            for name, member in exporters.load_all()
        )
    )
    formats = tuple(exporters.load_all())
    yield UnfitFormats(
        {
            name: {format: why for format, member in formats if (why := exporters.unfit(member, kind))}
            for name, kind in detectors.load_all()
        }
    )


def export(request: ExportRequest) -> Iterator[ExportEvent]:
    from workbench.inference.exporting import export as exporting

    yield from exporting.export(
        request.checkpoint, request.folder, request.formats, request.images, request.settings, request.snapshot
    )
