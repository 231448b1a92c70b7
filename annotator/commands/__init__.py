"""The commands that are groups of commands, and what all share."""
