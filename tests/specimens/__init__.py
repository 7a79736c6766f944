"""The bugs of nine published snippets, each as a small network of our own, a property that it breaks, and a repair."""
