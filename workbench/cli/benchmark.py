"""The command that times a trained detector in each file format on this machine."""

from __future__ import annotations

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.checks import check_checkpoint, check_exporters
from workbench.cli.options import CheckpointName, Json, OldProject, Run, app, checkpoint_of, project_of
from workbench.console import err, print_result, print_table, progress_bar, say
from workbench.core.project import Split


@app.command()
def benchmark(
    project: OldProject,
    run: Run = "",
    checkpoint: CheckpointName = "best",
    format: Annotated[
        list[str] | None, typer.Option("--format", help="torchscript, pt2, onnx; may be repeated; default: all.")
    ] = None,
    batch: Annotated[
        list[int] | None, typer.Option("--batch", help="Images at a time; may be repeated; default: 1 and 8.", min=1)
    ] = None,
    threads: Annotated[int, typer.Option("--threads", help="Processor threads; 0: one for each core.", min=0)] = 0,
    seconds: Annotated[float, typer.Option("--seconds", help="About how long to time each.", min=0.0)] = 3.0,
    limit: Annotated[
        float,
        typer.Option(
            "--limit", help="Seconds that each format may take in all; what is not done by then is left out.", min=1
        ),
    ] = 120.0,
    as_json: Json = False,
) -> None:
    """Latency and throughput of a trained detector in each file format, on this machine's processor."""
    check_exporters(format)
    with project_of(project) as document:
        file, _ = checkpoint_of(document.runs_folder, run, checkpoint)
        snapshot = document.snapshot()
    check_checkpoint(file)
    say("Loading PyTorch and the checkpoint …", quiet=as_json)
    from workbench.inference.exporting import benchmark as timing
    from workbench.inference.exporting.verification_images import choose_images
    from workbench.inference.predict import Predictor

    images = choose_images(snapshot.files, [image.split is Split.VALIDATION for image in snapshot.images])
    predictor = Predictor.open(file, device="cpu")
    times: list[timing.Benchmarked] = []
    without: list[timing.NotBenchmarked] = []
    with progress_bar("Timing", quiet=as_json) as progress:
        for event in timing.benchmark(
            predictor, format or None, batch or (1, 8), images, threads, seconds, limit=limit
        ):
            if isinstance(event, timing.BenchmarkProgress):
                progress.to(event.done, event.total, event.sentence)
                say(f"{event.done + 1} of {event.total}: {event.sentence}", quiet=as_json or err.is_terminal)
            elif isinstance(event, timing.Benchmarked):
                times.append(event)
            else:
                without.append(event)
        progress.to(1, 1)
    machine = f"{_processor()}, {times[0].threads} threads, {predictor.input_px} px, {timing.WARM} runs to warm up"
    if as_json:
        rows, missing = [asdict(one) for one in times], [asdict(one) for one in without]
        print_result({"machine": machine, "checkpoint": str(file), "times": rows, "not_timed": missing}, as_json=True)
        return
    say(f"{machine}. Not timed: reading and fitting images; this program's own row also leaves out NMS.")
    titles = ["format", "library", "batch", "median ms", "p95 ms", "images/s", "runs"]
    shown = [
        [t.format, t.library, t.batch, f"{t.median_ms:.1f}", f"{t.p95_ms:.1f}", f"{t.images_per_second:.1f}", t.runs]
        for t in times
    ]
    print_table(titles, shown)
    for one in without:
        say(f"{one.format}: {one.sentence}")


def _processor() -> str:
    """The processor's name on Linux, elsewhere its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
