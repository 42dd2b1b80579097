"""Linear algebra that several packages share: principal axes, rotations, cosine."""
