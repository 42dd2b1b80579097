"""Prefixes inside an encoder: attention to trained keys and values, and the folder that holds them."""
