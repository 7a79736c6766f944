"""What a program is, told by running it where it can do no harm."""
