"""The training library: loop, checkpoints, datasets and objectives of everything that is trained here."""
