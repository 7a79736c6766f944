"""What a program does, as far as its text alone tells: it is run on values of which little is known."""
