"""What a trained network suggests: boxes, and the images to label next."""
