"""Commands by what they are about; what begins a project and what serves it stands in annotator/cli.py."""
