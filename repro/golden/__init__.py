"""What a network did, kept: closed-form weights and five inputs in, and every stage of it held still from then on."""
