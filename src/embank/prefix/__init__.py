"""Prefixes: trained keys and values for each source task, on an encoder that stays as it is (arXiv 2305.13499)."""
