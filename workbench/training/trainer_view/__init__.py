"""An image exactly as a training sees it, and what a detector learns from it."""
