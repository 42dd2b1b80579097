"""Trainings to watch: a tail of a tiny encoder, and examples whose states tell their class; and processes that die.

`python training.py` reads one JSON command a line, forks a child that trains, and says how it ended.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from embank.models.tail import build_tail
from embank.models.tail_settings import TailDesign
from embank.training.checkpoint import CheckpointFile
from embank.training.datasets import padded_states
from embank.training.loop import Run, train
from embank.training.losses import class_loss
from embank.training.precision import faster
from embank.training.settings import TrainingSettings

EXAMPLES, BATCH, STEPS = 24, 4, 6
"""Six steps a pass."""
CLASSES = 2


class Plain(torch.nn.Module):
    """A linear on mean states: a step of it costs next to nothing."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(32, CLASSES)

    def forward(self, states, mask, pool):  # noqa: ARG002 - called by these names
        return self.linear(states.sum(1) / pool.sum(1, keepdim=True))

    def trainable(self):
        return dict(self.linear.named_parameters())


class TinyDataset:
    """Texts of one to eleven tokens, in two classes; those of the second are shifted a little."""

    def __init__(self, count=EXAMPLES, seed=0):
        random = np.random.default_rng(seed)
        self.lengths = random.integers(1, 12, count)
        self.classes = np.arange(count) % CLASSES
        shift = random.standard_normal(32)
        self.blocks = [
            (random.standard_normal((length, 32)) + own * shift).astype(np.float32)
            for length, own in zip(self.lengths, self.classes, strict=True)
        ]

    def inputs(self, which):
        return padded_states([self.blocks[at] for at in which], 0)

    def __getitem__(self, which):
        return self.inputs(which), torch.from_numpy(self.classes[which])

    def loss(self, logits, targets):
        return class_loss("single", logits, targets)


def bert_tail(seed=1, **design):
    """One upper layer of four, by default: with dropout in it, so a training's outcome hangs on random numbers."""
    from material.families import LAYERS, tiny

    chosen = {"cut": 3, "method": "full", "kind": "single", "outputs": CLASSES, **design}
    return build_tail(tiny("bert"), LAYERS, TailDesign(**chosen), seed)


def settings_of(**changes):
    return TrainingSettings(**{"epochs": 3, "batch": BATCH, "rate": 1e-3, "patience": 3, **changes})


def accuracy(tail, dataset):
    """Scores a tail as it is, in evaluation mode."""
    tail.train(mode=False)
    with torch.inference_mode():
        logits = tail(**dataset.inputs(np.arange(len(dataset.lengths))))
    return float((logits.argmax(1).numpy() == dataset.classes).mean())


def job(command):
    """Train, and die where the command says so; otherwise leave the weights, and at which step it began."""
    folder = Path(command["folder"])
    dataset, tail = TinyDataset(), bert_tail()
    begun, validated = [], []

    def die(place, at):
        if [place, at] == command["die"]:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(now):
        begun.append(now.step)
        die("step", now.step)

    def validate():
        validated.append(True)
        die("validation", len(validated))
        return accuracy(tail, dataset)

    run = Run(
        module=tail,
        dataset=dataset,
        validate=validate,
        settings=settings_of(seed=command["seed"]),
        checkpoint=CheckpointFile(folder / "training" / "task.safetensors", "this training", command["seconds"]),
    )
    trained = train(run, watch)
    save_file(tail.state(), folder / "weights.safetensors")
    said = {"began": begun[0] if begun else None, "resumed": trained.resumed, **vars(trained.position)}
    (folder / "said.json").write_text(json.dumps(said))


def serve():
    """Fork a child for every command."""
    torch.set_num_threads(1)
    bert_tail()  # whatever is imported late is imported before the first child
    faster()  # measured once for all children: under load two measurements may choose two precisions
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            code = 1
            try:
                job(json.loads(line))
                code = 0
            except BaseException:  # noqa: BLE001 - told to whoever reads the test's output
                traceback.print_exc()
            os._exit(code)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


class Trainer:
    """A server of such children, asked from a test."""

    def __init__(self, process):
        self._process = process

    def run(self, folder, *, die=(None, 0), seed=0, seconds=0.0):
        """Train in a process of its own; say whether it was killed before its end."""
        folder.mkdir(parents=True, exist_ok=True)
        command = {"folder": str(folder), "die": list(die), "seed": seed, "seconds": seconds}
        print(json.dumps(command), file=self._process.stdin, flush=True)
        code = int(self._process.stdout.readline())
        assert code in (0, -signal.SIGKILL), f"training failed: {command}"
        return code != 0

    def outcome(self, folder):
        """The weights of a finished training, and what it said."""
        return load_file(folder / "weights.safetensors"), json.loads((folder / "said.json").read_text())


@contextmanager
def trainer():
    """Start the server, and stop it. One thread each: that is what makes sums come out alike."""
    here = Path(__file__).resolve()
    paths = [str(here.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, str(here)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield Trainer(process)
        process.stdin.close()


if __name__ == "__main__":
    serve()
