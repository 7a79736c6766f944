"""Is one module the other? Structure first, by proof; numbers after, by budget."""
