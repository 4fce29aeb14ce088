"""What `python -m app` does with people and rows, a file for each group. Imported late, when the command is named."""
