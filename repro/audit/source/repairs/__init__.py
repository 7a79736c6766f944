"""What copying destroys, one kind a file: each has `MESSAGE`, `CONFIDENCE` and `mend`, which returns the lines mended.

`mend` returns the very lines that it was given where there is nothing to mend. A module may have `alternatives` as
well, which says of the lines mended what else they might be.
"""
