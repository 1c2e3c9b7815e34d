"""Workbench: from a folder of photographs to a trained object detector, on your own machine.

The map. Data flows one way: project -> arrays -> batches -> events -> detections -> files.

A *project* (core/) is a folder with one SQLite file; `core.document.Document` opens it, every change is an *edit*
(core/edits.py) that is on disk and undoable when `do` returns. Labels of other tools come and go through formats/
(one per file) and exchange/. A `Snapshot` (core/project.py) is the frozen copy that everything below reads; health.py
tells what is wrong with its images and boxes, and health_repairs.py mends what a program can.

`anchors.kmeans` clusters box sizes, one step at a time. detectors/ holds the architectures, one per file; training/
turns a snapshot, a recipe and a detector into *events* and checkpoints; inference/ turns a checkpoint and images into
candidates, numbers and exported files.

scenes/ draws the photographs of the sample project, and demo.py runs the whole workflow on them; report.py and
console.py show long jobs, tables and sentences on the console. plugins.py loads detectors, formats and exporters from
single files, which import api.py only; registry.py lists a family's members. settings.py turns one field into a form
row, a flag, a TOML key and a line of documentation.

Each of core/, training/ and inference/ has its nouns and verbs at the top, and below them a package for what these are
made of, such as core/storage/ (the file from inside) or training/batches/; a package's first line says what is in it.

All of this is plain Python without Qt. cli/ and ui/ are two thin layers on top: the window and the command line
iterate the same generators.

ui/ has window/, the main window with its bars, menus and dialogs, and below it a folder for each page (start, data,
annotate, anchors, train, inspect, export); pages never import each other. They share project/, which opens and backs up
projects, images/ (their pixels, lists, tiles, and boxes on pictures), plots/, and widgets/, which know nothing of a
project. Beside them lie the session that all pages follow, commands and keys, the theme, and `job.Job`, the only class
to cross threads.
"""

__version__ = "0.1.0"
