"""A column for other tools."""
