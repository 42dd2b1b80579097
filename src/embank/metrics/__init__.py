"""Measures of predictions: classes and numbers, tags and entities, spans, rankings."""
