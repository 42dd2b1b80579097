"""Texts, and settings under which a student is distilled in a few quick steps."""

import embank
from embank.distill.settings import ProjectionSettings
from material.tails import texts_of

TEXTS = texts_of(120)


def settings(width=8, widths=(), **given):
    loop = {name: given.pop(name) for name in ("epochs", "batch", "rate", "seed", "patience") if name in given}
    training = embank.TrainingSettings(**{"epochs": 3, "batch": 16, "rate": 2e-3, **loop})
    return ProjectionSettings(width=width, training=training, widths=widths, **given)


class Stopped(Exception):  # noqa: N818 - a kill is no error
    """The training was killed."""
