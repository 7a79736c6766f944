"""Lost indentation as a search: which open blocks does each statement end?

clue      what a statement tells by itself: its keyword, the names that it reads and binds, the lines before it
text      what the text tells of it: what comes later, where a name is read again
block     a block that is open while the search stands at a statement, and what is in it so far
evidence  what speaks for and against a statement's ending a block
weights   how much: a table, fitted to code, of the log-odds
search    the most likely blocks of all statements together, and what else they might be
layout    from the depth of each statement back to lines
"""
