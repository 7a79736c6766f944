"""`repro audit --fix`: what can be repaired without judgement, as a change of the document that it was found in."""
