"""What users predict: kinds of tasks, and labels read from classes, tags and answers."""
