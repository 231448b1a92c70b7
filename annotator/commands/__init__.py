"""Groups of commands, one file each: `annotator people add`. Single commands stand in annotator/cli.py."""
