"""What a document says of its networks in numbers: found here in its words, judged by `repro.running.claims`."""
