"""From images and boxes to batches: read, kept, augmented, moved to the device."""
