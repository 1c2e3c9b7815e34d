"""Training: from a snapshot and a recipe to checkpoints, as one generator of events.

`run.train(request, control)` does all of it, `run.resume(folder, control)` resumes a run. What it uses, in
the order of a run: `recipes` and `settings` (what to do), `prepare` (is there anything to learn), `data` (images read
once), `schedule` (what happens at which step), `augment` (a step's batch), `step` (loss, gradients, weights), `ema`
(averaged weights), `validate` (AP), `checkpoint` with `header` (files), `record` (events and data of the run), `meter`
(speed). `runs`, `events`, `request`, `recipes` and `header` load without torch, for the window and the command line.
"""
