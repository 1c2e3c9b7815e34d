"""The nouns of the program and the files they live in; numpy, Pillow and OpenCV, but neither Qt nor torch."""
