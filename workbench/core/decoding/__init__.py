"""How `core.images` reads image files and videos: formats, damage, limits, huge images in tiles."""
