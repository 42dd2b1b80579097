"""Encode a text once, bank the representation on disk, run every task on what is banked."""
