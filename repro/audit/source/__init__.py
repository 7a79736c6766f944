"""From a file as people have it to the Python in it, with the way back: each line knows where it stood."""
