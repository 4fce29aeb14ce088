"""The commands' code, a file for each group. Imported when the command is run."""
