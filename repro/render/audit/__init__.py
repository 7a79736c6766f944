"""What an audit says, in each of its formats; nothing here decides anything."""
