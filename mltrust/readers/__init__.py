"""How files are cut into parts: one file or folder per format."""
