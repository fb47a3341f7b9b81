"""What all figures share: page, lettering, style, thumbnails, files."""
