"""`repro audit`: reads code of convolutional networks as people really have it, and says what is wrong with it."""
