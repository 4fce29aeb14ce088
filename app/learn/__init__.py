"""The tutorial that is served by the application it explains. Nothing else needs it: it can be deleted.

`chapters` turns docs/*.md into pages, `code_blocks` fills their code from the live source, `sources` finds a function
in a file, `pattern_index` says how each pattern of the framework's documentation page fares here. `make docs` writes it
all anew.
"""
