"""Training: from a snapshot and a recipe to checkpoints, as one generator of events.

`run.train(request, control)` does all of it, `run.resume(folder, control)` resumes a run. What it uses, in the order of
a run: `recipes` and `settings` (what to do), `prepare` (is there anything to learn), `batches.data` (images read once),
`schedule` (what happens at which step), `batches.augment` (a step's batch), `step` (loss, gradients, weights), `ema`
(averaged weights), `validate` (AP), `checkpoints.checkpoint` with `checkpoints.header` (files), `records.record`
(events and data of the run), `monitoring.meter` (speed). `records.runs`, `events`, `request`, `recipes` and
`checkpoints.header` load without torch, for the window and the command line.
"""
