"""Small pictures this project made, with exact labels; see ``data_samples/README.md``."""
