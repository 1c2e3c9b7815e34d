"""What is watched while a training runs: speed, losses of images, pictures."""
