"""Torch modules that are trained here: tails, adapters, whole and shortened encoders, learned pooling."""
