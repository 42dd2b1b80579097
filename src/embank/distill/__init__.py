"""Students of a teacher: small encoders that learn a task (2004.14287) or its vectors (2203.07687)."""
