"""Every command of the window in one table: its text, keys and icon. The sheet under `?` and Ctrl+K read it too.

The keys here are those of the profile "labelImg"; `keys` tells which are in force.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `keys` in Qt's notation, the first is displayed. `where` is the heading on the sheet of keys.

    `by_hand` commands are keys or gestures that a widget handles itself; they are on the sheet but have no QAction.
    """

    name: str
    text: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    where: str = "Window"
    by_hand: bool = False


PAGES = ("data", "label", "anchors", "train", "inspect", "export")

HELP = {  # pages of resources/help, in the order of the work
    "start-here": "Start here",
    "label-fast": "Label fast",
    "reading-the-anchors-page": "Reading the anchors page",
    "choosing-a-detector": "Choosing a detector",
    "what-the-losses-mean": "What the losses mean",
    "training-on-several": "Training on one GPU, on eight, on a cluster",
    "reading-the-inspect-page": "Reading the inspect page",
    "better-labels": "From a run to better labels",
    "predicting": "Predicting: folders of any size, videos, webcams",
    "exporting-and-deploying": "Exporting and deploying",
    "labels-in-and-out": "Labels in and out: formats and what each loses",
    "plugins": "Plugins: detectors, formats, exporters",
    "where-things-are": "Where things are on disk",
    "when-something-goes-wrong": "When something goes wrong",
}

_GO = ("Ctrl+Return", "Ctrl+Enter")  # the page's main button
COMMANDS: tuple[Command, ...] = (
    Command("new-project", "New project from a folder…", ("Ctrl+N",), "mdi6.folder-plus-outline"),
    Command("open-project", "Open a project…", ("Ctrl+O",), "mdi6.folder-open-outline"),
    Command("close-project", "Close the project", ("Ctrl+W",), "mdi6.close"),
    Command("save", "Save (each edit is saved as it is made)", ("Ctrl+S",), "mdi6.content-save-check-outline"),
    Command("rename-project", "Rename the project…", (), "mdi6.rename-outline"),
    Command("older-copies", "Older copies of the project…", (), "mdi6.backup-restore"),
    Command("quit", "Quit", ("Ctrl+Q",), "mdi6.exit-to-app"),
    Command("undo", "Undo", ("Ctrl+Z",), "mdi6.undo"),
    Command("redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "mdi6.redo"),
    Command("history", "History…", ("Ctrl+Shift+H",), "mdi6.history"),
    *(Command(f"page-{name}", f"Go to {name.capitalize()}", (f"Ctrl+{n}",)) for n, name in enumerate(PAGES, start=1)),
    Command("find", "Find a command, image or label…", ("Ctrl+K",), "mdi6.magnify"),
    Command("pause-job", "Pause or resume the training", ("Ctrl+Shift+P",), "mdi6.pause"),
    Command("stop-job", "Stop what is running, the last begun first", ("Ctrl+.",), "mdi6.stop"),
    Command("message", "Press the button of the message", ("F8",)),
    Command("seen", "What the trainer sees of this image…", ("Ctrl+T",), "mdi6.eye-outline"),
    Command("import-weights", "Import weights…", (), "mdi6.tray-arrow-down"),
    *(Command(f"help-{page}", title, (), "mdi6.help-circle-outline") for page, title in HELP.items()),
    Command("tour", "One-minute tour of the window", (), "mdi6.map-marker-path"),
    Command("keys", "Keys", ("F1", "?"), "mdi6.keyboard-outline"),
    Command("log", "Log", ("F12",), "mdi6.text-box-outline"),
    Command("plugins", "Plugins", (), "mdi6.puzzle-outline"),
    Command("about", "About Workbench", (), "mdi6.information-outline"),
    Command("theme-system", "System theme"),
    Command("theme-light", "Light theme", (), "mdi6.weather-sunny"),
    Command("theme-dark", "Dark theme", (), "mdi6.weather-night"),
    Command("draw", "Draw boxes", ("W",), "mdi6.vector-rectangle", "Label"),
    Command(
        "box-here",
        "Add a box in the middle, to move with the arrow keys",
        ("Shift+W",),
        "mdi6.selection-marker",
        "Label",
    ),
    Command("cancel", "Stop drawing, select nothing", ("Esc",), "", "Label"),
    Command("next-image", "Next image", ("D",), "mdi6.chevron-right", "Label"),
    Command("previous-image", "Previous image", ("A",), "mdi6.chevron-left", "Label"),
    Command("next-unlabelled", "Next unlabelled image", ("Shift+D", "Ctrl+Shift+D"), "mdi6.skip-next-outline", "Label"),
    Command("previous-unlabelled", "Previous unlabelled image", ("Shift+A",), "mdi6.skip-previous-outline", "Label"),
    Command("verify", "Verify this image and go to the next", ("Space",), "", "Label"),
    Command("done", "Done (also when empty), go to the next", ("N",), "mdi6.check", "Label"),
    Command("reopen-image", "Not done after all: back to in work", ("Shift+N",), "", "Label"),
    Command("note-image", "Note on this image…", ("Ctrl+Shift+N",), "mdi6.note-text-outline", "Label"),
    Command("remove-image", "Take this image out of the project", ("Ctrl+Del",), "", "Label"),
    Command("copy-path", "Copy the path of this image's file", (), "mdi6.content-copy", "Label"),
    Command("open-image-folder", "Show the folder of this image's file", (), "mdi6.folder-open-outline", "Label"),
    Command("delete-boxes", "Delete the selected boxes", ("Del", "Backspace"), "mdi6.delete-outline", "Label"),
    Command("duplicate", "Duplicate the selected boxes", ("Ctrl+D",), "mdi6.content-duplicate", "Label"),
    Command("copy-boxes", "Copy the selected boxes", ("Ctrl+C",), "mdi6.content-copy", "Label"),
    Command("paste-boxes", "Paste boxes into this image", ("Ctrl+V",), "mdi6.content-paste", "Label"),
    Command("take-over", "Copy the boxes of the previous image", ("Ctrl+B",), "mdi6.page-previous-outline", "Label"),
    Command("fill-between", "Fill the images in between", ("Ctrl+I",), "mdi6.transition", "Label"),
    Command("select-all", "Select all boxes", ("Ctrl+A",), "mdi6.select-all", "Label"),
    Command("change-label", "Change the label of the selected boxes…", ("E", "Ctrl+E"), "mdi6.tag-outline", "Label"),
    Command("rename-label", "Rename the chosen label…", ("F2",), "", "Label"),
    Command("mark-occluded", "Mark the selected boxes: occluded", ("O",), "", "Label"),
    Command("mark-difficult", "Mark the selected boxes: difficult", ("I",), "", "Label"),
    Command("mark-truncated", "Mark the selected boxes: truncated", ("U",), "", "Label"),
    Command("mark-crowd", "Mark the selected boxes: crowd", ("C",), "", "Label"),
    Command(
        "number",
        "Label of the selected and the next boxes; again: of the one just drawn",
        ("1 … 9", "0"),
        "",
        "Label",
        by_hand=True,
    ),
    Command("relabel", "Change the label of a box", ("Double click",), "", "Label", by_hand=True),
    Command("next-box", "Next box", ("Tab",), "", "Label"),
    Command("previous-box", "Previous box", ("Shift+Tab",), "", "Label"),
    Command("to-labels", "From the picture to labels and boxes, and back", ("F6",), "", "Label"),
    Command("to-images", "From the picture to the list of images, and back", ("Shift+F6",), "", "Label"),
    Command("cycle", "Select the box underneath", ("Ctrl+click",), "", "Label", by_hand=True),
    Command("several", "Select several boxes", ("Shift+click",), "", "Label", by_hand=True),
    Command("nudge", "Move the selected boxes by a pixel (with Shift by 10)", ("Arrows",), "", "Label", by_hand=True),
    Command(
        "stretch", "Move their right and bottom sides (with Shift by 10)", ("Alt+arrows",), "", "Label", by_hand=True
    ),
    Command("align", "Move the selected boxes to the border of the image", ("Ctrl+arrows",), "", "Label", by_hand=True),
    Command("square", "Draw a square; at a corner: keep the box's shape", ("Shift+drag",), "", "Label", by_hand=True),
    Command(
        "off-border", "Draw without snapping, or on a suggestion", ("Ctrl+drag", "Alt+drag"), "", "Label", by_hand=True
    ),
    Command("wheel", "Zoom at the pointer", ("Wheel", "Ctrl+wheel"), "", "Label", by_hand=True),
    Command("pan", "Move the picture", ("Space+drag", "Middle button"), "", "Label", by_hand=True),
    Command("fit", "Fit the picture into the window", ("Ctrl+F",), "mdi6.fit-to-page-outline", "Label"),
    Command("zoom-100", "Pixel by pixel (100 %)", ("Ctrl+=", "Ctrl+0"), "mdi6.numeric-1-box-outline", "Label"),
    Command("zoom-boxes", "Zoom to the selected boxes; again: the whole picture", ("Z",), "mdi6.magnify-scan", "Label"),
    Command("zoom-in", "Zoom in", ("Ctrl++", "+"), "mdi6.magnify-plus-outline", "Label"),
    Command("zoom-out", "Zoom out", ("Ctrl+-", "-"), "mdi6.magnify-minus-outline", "Label"),
    Command("keep-zoom", "Keep zoom and place for the next image", ("Ctrl+Shift+K",), "mdi6.lock-outline", "Label"),
    Command("suggest", "Show a trained run's suggestions", ("G",), "mdi6.auto-fix", "Label"),
    Command("take-suggestion", "Take the marked suggestion", ("Return", "Enter"), "", "Label"),
    Command("take-suggestions", "Take all suggestions of this image", ("Shift+Return", "Shift+Enter"), "", "Label"),
    Command("suggest-more", "Fewer or more suggestions, by confidence", ("Up", "Down"), "", "Label", by_hand=True),
    Command("train-and-suggest", "Train on what is labelled, then suggest", ("Ctrl+G",), "mdi6.sync", "Label"),
    Command("looks", "Brightness, contrast, gamma: for looking only…", ("L",), "mdi6.brightness-6", "Label"),
    Command("levels", "Images of more than 8 bits: black and white…", (), "mdi6.chart-histogram", "Label"),
    Command("box-style", "Names, sizes, lines and colours of boxes…", ("Ctrl+L",), "mdi6.palette-outline", "Label"),
    Command("hide-boxes", "Hide the boxes", ("Ctrl+H",), "mdi6.eye-off-outline", "Label"),
    Command("add-images", "Add images from a folder…", ("Ctrl+Shift+A",), "mdi6.image-plus-outline", "Data"),
    Command("add-files", "Add image files…", (), "mdi6.image-plus-outline", "Data"),
    Command("look-for-files", "Look for new and missing files", (), "mdi6.folder-search-outline", "Data"),
    Command("add-video", "Add frames of a video…", (), "mdi6.movie-open-plus-outline", "Data"),
    Command("import-labels", "Import labels…", ("Ctrl+I",), "mdi6.import", "Data"),
    Command("export-labels", "Export labels…", ("Ctrl+Shift+E",), "mdi6.export", "Data"),
    Command("labels-beside", "Keep label files beside the images…", (), "mdi6.file-sync-outline", "Data"),
    Command("split", "Split by rules…", ("Ctrl+Shift+S",), "mdi6.call-split", "Data"),
    Command("check-data", "Check the data…", ("Ctrl+Shift+C",), "mdi6.stethoscope", "Data"),
    Command("random-split", "Split at random 80 / 10 / 10", (), "mdi6.chart-pie-outline", "Data"),
    Command("box-tiles", "Boxes one by one, or images", ("B",), "mdi6.view-grid-outline", "Data"),
    Command("boxes-label", "Boxes one by one: another label…", ("E",), "", "Data"),
    Command("boxes-delete", "Boxes one by one: delete the selected", ("Del", "Backspace"), "", "Data"),
    Command("boxes-number", "Boxes one by one: label of the selected", ("1 … 9", "0"), "", "Data", by_hand=True),
    Command("note-images", "Note on the selected images…", ("Ctrl+Shift+N",), "mdi6.note-text-outline", "Data"),
    Command("remove-images", "Take the selected images out of the project", ("Ctrl+Del",), "", "Data"),
    Command("trash-images", "Move the files of the selected images to the trash…", ("Ctrl+Shift+Del",), "", "Data"),
    Command("anchors-play", "Play or pause the film", ("P",), "", "Anchors"),
    Command("anchors-step", "Show the next step", ("S",), "", "Anchors"),
    Command("anchors-compute", "Compute the anchors again", ("F5",), "mdi6.refresh", "Anchors"),
    Command("anchors-show-all", "Show all boxes and anchors", ("F",), "", "Anchors"),
    Command("anchors-log", "Logarithmic axes", ("L",), "", "Anchors"),
    Command("anchors-region", "Choose a region of the plot", ("R",), "mdi6.selection-drag", "Anchors"),
    Command("anchors-brush", "Choose a region at any time", ("Shift+drag",), "", "Anchors", by_hand=True),
    Command("anchors-use", "Use these anchors in training", ("U",), "", "Anchors"),
    Command("start-training", "Start training", _GO, "mdi6.play", "Train"),
    Command(
        "queue-training",
        "Train next: put the training in the form into the queue",
        ("Ctrl+Shift+Return", "Ctrl+Shift+Enter"),
        "mdi6.playlist-plus",
        "Train",
    ),
    Command("hold-queue", "Hold the queue, or let it go on", (), "", "Train"),
    Command("show-run", "Show the run's curves; of several: compare them", ("Enter",), "", "Train", by_hand=True),
    Command("picture-epoch", "Pictures: previous or next epoch", ("Left", "Right"), "", "Train", by_hand=True),
    Command("several-runs", "Select several runs", ("Ctrl+click", "Shift+click"), "", "Train", by_hand=True),
    Command("compare-runs", "Compare the selected runs…", ("Ctrl+M",), "mdi6.chart-line", "Train"),
    Command("resume-run", "Resume the run", (), "mdi6.play", "Train"),
    Command("inspect-run", "Inspect what the run finds", (), "mdi6.image-search-outline", "Train"),
    Command("extend-run", "Extend the run by more epochs…", (), "mdi6.chevron-double-right", "Train"),
    Command("fork-run", "Fork: copy the run's settings into the form", (), "mdi6.call-split", "Train"),
    Command("rename-run", "Rename the run", ("F2",), "", "Train"),
    Command("note-run", "Note on the run", ("Ctrl+Shift+N",), "mdi6.text-box-outline", "Train"),
    Command("seen-augmented", "What the trainer sees: augmented or as it is", ("G",), "", "Train"),
    Command("seen-epoch", "What the trainer sees: next epoch", ("E",), "", "Train"),
    Command("seen-epoch-back", "What the trainer sees: previous epoch", ("Shift+E",), "", "Train"),
    Command("seen-view", "What the trainer sees: next tile of a large image", ("T",), "", "Train"),
    Command("seen-view-back", "What the trainer sees: previous tile, or the whole image", ("Shift+T",), "", "Train"),
    Command("seen-roll", "What the trainer sees: draw again with another seed", ("R",), "", "Train"),
    Command("seen-roll-back", "What the trainer sees: back to the recipe's seed", ("Shift+R",), "", "Train"),
    Command("seen-compare", "What the trainer sees: compare with a second detector", ("C",), "", "Train"),
    Command("delete-runs", "Delete the selected runs", ("Del",), "mdi6.delete-outline", "Train"),
    Command("queue-earlier", "Queue: train earlier", ("Alt+Up",), "mdi6.arrow-up", "Queue"),
    Command("queue-later", "Queue: train later", ("Alt+Down",), "mdi6.arrow-down", "Queue"),
    Command("queue-edit", "Queue: take back into the form", ("F2",), "mdi6.pencil-outline", "Queue"),
    Command("queue-remove", "Queue: remove", ("Del",), "mdi6.delete-outline", "Queue"),
    Command("look", "Look: run the detector on these images", _GO, "mdi6.image-search-outline", "Inspect"),
    Command(
        "look-elsewhere", "Predict on other images: folder, video, webcam…", ("Ctrl+Shift+L",), "mdi6.webcam", "Inspect"
    ),
    Command("looking-play", "Other images: play or pause", ("P",), "", "Inspect"),
    Command("looking-on", "Other images: next picture", ("Right", "D"), "", "Inspect"),
    Command("looking-back", "Other images: previous picture", ("Left", "A"), "", "Inspect"),
    Command("review-take", "Review: take the prediction as the label", ("T",), "mdi6.check", "Inspect"),
    Command("review-wrong", "Review: my label was wrong", ("W",), "mdi6.close", "Inspect"),
    Command("review-ignore", "Review: ignore from now on", ("I",), "mdi6.eye-off-outline", "Inspect"),
    Command("review-keep", "Review: not an object, or my label stands", ("N",), "mdi6.cancel", "Inspect"),
    Command("review-open", "Review: open on the Label page", ("Enter", "Double click"), "", "Inspect", by_hand=True),
    Command("review-move", "Review: previous or next item", ("Arrows",), "", "Inspect", by_hand=True),
    Command("export", "Export: write the chosen files", _GO, "mdi6.package-up", "Export"),
)
BY_NAME = {command.name: command for command in COMMANDS}
