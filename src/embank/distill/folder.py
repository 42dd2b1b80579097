"""A distilled student as a folder: transformer, pooling and projection, as sentence-transformers and Embank load them.

Beside them lies what maps the teacher's own vectors to the student's space, so that stored ones can be searched with
the student's queries.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from embank.distill.settings import ProjectionReport, TeacherSpace, WidthScore
from embank.distill.vector_student import ProjectedStudent, Student, TrainedProjection
from embank.encoders.torch import quietly
from embank.errors import EncoderError
from embank.models.encoder_folder import CARD, REPORT, copy_small, named, new_folder, prescribe

SPACE = "teacher_projection.safetensors"
"""What maps the teacher's vectors to targets: `axes` and `centre`."""

_DENSE = "2_Dense"
_NORMALIZE = "3_Normalize"
_IDENTITY, _TANH = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Tanh"


def save_projection(student: Student, trained: TrainedProjection, out: Path) -> None:
    """Write a student, whole or not at all.

    Args:
        student: what was trained; the tokenizer is that of its folder.
        trained: with the weights of the best pass.
        out: a folder that is not there yet.

    Raises:
        UsageError: the folder exists.
    """
    encoder, report = student.encoder, trained.report
    folder = encoder.folder
    unit = bool(report.settings["unit"])
    with new_folder(out) as begun:
        copy_small(folder.path, begun)
        _drop_modules(begun)
        with quietly():
            student.model.save_pretrained(begun / folder.transformer.relative_to(folder.path))
        after = [(_DENSE, "models.Dense"), *([(_NORMALIZE, "models.Normalize")] if unit else [])]
        prescribe(begun, folder, trained.module.pooling, after)
        _save_dense(begun / _DENSE, trained.module)
        if unit:
            (begun / _NORMALIZE).mkdir()
        notes = {"source": report.origins.source, "column": report.origins.column}
        save_file({"axes": trained.space.axes, "centre": trained.space.centre}, begun / SPACE, notes)
        (begun / REPORT).write_text(json.dumps(asdict(report), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        (begun / CARD).write_text(card(report, encoder.facts.family, student.n_layers), encoding="utf-8")


def read_space(folder: Path) -> tuple[TeacherSpace, str]:
    """The map from the teacher's vectors to a student's space, and the identity of those vectors.

    Raises:
        EncoderError: the folder is no distilled student, or the file is damaged.
    """
    path = folder / SPACE
    if not path.is_file():
        raise EncoderError(f"{folder} is no distilled student: it has no {SPACE}; embank distill train makes one")
    try:
        with safe_open(path, framework="np") as file:
            axes, centre = (np.asarray(file.get_tensor(name), np.float32) for name in ("axes", "centre"))
            source = str((file.metadata() or {})["source"])
    except (OSError, KeyError, SafetensorError) as fault:
        raise EncoderError(f"{path} cannot be read ({fault}): distil the student again") from fault
    return TeacherSpace(axes, centre), source


def card(report: ProjectionReport, family: str, layers: int) -> str:
    """The model card: whose student it is, what it learned, and how well."""
    settings, origins = report.settings, report.origins
    training = settings["training"]
    passes = ", ".join(f"{score:.4f}" for score in report.passes)
    of = f"the teacher's vectors (`{origins.column}`, {report.teacher_width} wide)"
    learned = f"It learned to give all dimensions of {of}, by squared error and angle, and keeps {settings['width']}"
    if settings["recipe"] == "paper":
        learned = f"It learned to give what a PCA leaves of {of}, through a tanh, by squared error"
    whence = f"layers {', '.join(map(str, origins.layers))} of its teacher" if origins.layers else "another encoder"
    lines = [
        "---",
        "library_name: sentence-transformers",
        "tags: [embank, distillation, sentence-transformers, sentence-similarity]",
        "---",
        "",
        f"# A student of {named(origins.teacher)}, {settings['width']} wide",
        "",
        f"An encoder ({family}, {layers} layers) that began as `{named(origins.student)}` ({whence}), with a "
        f"projection to {settings['width']} dimensions. {learned}, by `embank distill train` (after 2203.07687).",
        "",
        "| dimensions | the teacher's own PCA | before training | student |",
        "|---:|---:|---:|---:|",
        *map(_row, report.widths),
        "",
        f"Spearman's correlation of cosines with those of the teacher's whole vectors, over pairs of {report.held_out} "
        f"held-out texts from all over the range of similarities. Trained on {report.texts} texts by the recipe "
        f"{settings['recipe']}. After each pass: {passes}; pass {report.best} was kept. {report.steps} steps, "
        f"{report.seconds:.0f} s; batches of {training['batch']}, learning rate {training['rate']:g}, "
        f"seed {training['seed']}.",
        "",
        f"Its vectors lie in the teacher's space: stored vectors of the teacher, mapped by `{SPACE}`, can be searched "
        "with queries that the student encodes.",
        "",
        "```",
        f"embank encode BANK TEXTS --text COLUMN --encoder small=THIS_FOLDER --columns small/{layers}/own@int8",
        "```",
        "",
    ]
    return "\n".join(lines)


def _row(score: WidthScore) -> str:
    return f"| {score.width} | {score.pca:.4f} | {score.before:.4f} | {score.student:.4f} |"


def _drop_modules(folder: Path) -> None:
    """Remove the modules after the transformer from a copied sentence-transformers folder."""
    listed = folder / "modules.json"
    modules: list[dict[str, Any]] = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else []
    for module in modules:
        if module["path"] and not str(module["type"]).endswith("Transformer"):
            shutil.rmtree(folder / module["path"], ignore_errors=True)
    listed.unlink(missing_ok=True)


def _save_dense(folder: Path, student: ProjectedStudent) -> None:
    """Write the projection of a student as a Dense module."""
    folder.mkdir()
    projection = student.projection
    described = {
        "in_features": projection.in_features,
        "out_features": projection.out_features,
        "bias": True,
        "activation_function": _TANH if student.bends else _IDENTITY,
    }
    (folder / "config.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    weights = {"linear.weight": projection.weight, "linear.bias": projection.bias}
    arrays = {name: np.ascontiguousarray(tensor.detach().float().cpu().numpy()) for name, tensor in weights.items()}
    save_file(arrays, folder / "model.safetensors")
