"""Tails against what one would do without a bank: LoRA in all layers (peft), and SetFit, on SciCite and TREC.

Accuracy on test rows, seconds of training, and texts a second when 1, 5 and 20 such tasks are predicted. A tail reads
banked states (once for all tasks), the others run the whole encoder for every task. minilm, the same training rows;
peft's LoRA (every linear, rank 16, as in a tail) runs in the same loop as a tail, at the better of two rates
on validation rows; SetFit in its own with its defaults, at most 150 steps of its pairs.

    python bench/tails_peers.py [--rows 1000] [--epochs 8] [--sets scicite,trec]
"""

import argparse
import importlib.util
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
from corpus import macro_f1, split, task_data
from measuring import WORK, kept, record
from sklearn.metrics import f1_score

import embank
from embank.encode.opened_encoders import OpenedEncoders
from embank.encode.state_loader import StateSource
from embank.encoders.load import locate, open_encoder
from embank.models.full import EncoderWithHead
from embank.models.tail import build_tail
from embank.models.tail_settings import TailDesign
from embank.store.folder import Store
from embank.training.outputs import predict_outputs, predict_together
from embank.training.state_inputs import StateInputs
from embank.training.supervised import train_supervised
from embank.training.token_inputs import TokenInputs

CUT = 3
TASKS = (1, 5, 20)
STEPS = 150
"""Steps of SetFit at most, each of 16 pairs: at 4 seconds a step, more would take hours here."""

RATES = (5e-4, 2e-3)
"""Learning rates of LoRA in all layers; the last is the one that suits LoRA in a tail."""

TIMED = 500
"""Test texts that prediction is timed on."""


class LoraEncoder(EncoderWithHead):
    """The whole encoder with peft's LoRA in every layer; the rest is frozen."""

    def __init__(self, encoder: Any, design: TailDesign, seed: int) -> None:
        super().__init__(encoder, design, seed)
        self.model.requires_grad_(requires_grad=False)
        linears = r"encoder\.layer\.\d+\..*(query|key|value|dense)"
        settings = peft.LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=linears)
        torch.manual_seed(seed)
        peft.inject_adapter_in_model(settings, self.model)

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """What LoRA adds, and the output layer."""
        return {name: one for name, one in self.named_parameters() if "lora_" in name or name.startswith("output.")}


def opened() -> Any:
    """minilm, for nobody else."""
    return open_encoder(locate("minilm"), "torch", "float32", Path.home() / ".cache" / "embank")


def timed(run: Any, texts: int) -> float:
    """Texts a second, after one untimed run."""
    run()
    started = time.perf_counter()
    run()
    return texts / (time.perf_counter() - started)


def tail(name: str, most: int, epochs: int) -> dict[str, Any]:
    """A full tail on banked states."""
    train, test = split(name)
    folder = WORK / "tails-peers"
    shutil.rmtree(folder, ignore_errors=True)
    with embank.Bank.create(folder) as bank:
        bank.encode([*train.texts[:most], *test.texts], columns=[f"minilm/{CUT}/states@float16"])
        settings = embank.FitSettings(
            tail=embank.TailSettings(cut=CUT, training=embank.TrainingSettings(epochs=epochs))
        )
        report = bank.fit("task", train.labels[:most].tolist(), texts=train.texts[:most], settings=settings)
        guess = bank.predict(test.texts)["task"].to_pylist()
        numbers = np.arange(TIMED)
    speeds = {}
    with Store(folder) as store:
        for count in TASKS:
            design = TailDesign(cut=CUT, method="full", kind="single", outputs=len(report.labels))
            tails = {}
            for number in range(count):
                encoder = opened()
                tails[str(number)] = build_tail(encoder.model, encoder.n_layers, design, number)
            source = StateSource(OpenedEncoders(store, embank.BankOptions()), f"minilm/{CUT}/states@float16")
            inputs = StateInputs(source, numbers, 0)
            speeds[str(count)] = timed(
                lambda tails=tails, inputs=inputs: predict_together(tails, inputs, numbers), TIMED
            )
    shutil.rmtree(folder)
    score = f1_score(test.labels, guess, average="macro")
    return {"score": score, "seconds": report.chosen["training seconds"], "speeds": speeds}


def lora(name: str, most: int, epochs: int) -> dict[str, Any]:
    """LoRA in all layers at the rate that validates best, the whole encoder run for every task."""
    part = f"tails-peers/{most}-{epochs}/{name}-LoRA"
    found = [kept(f"{part}-{rate:g}", lambda rate=rate: lora_at(rate, name, most, epochs)) for rate in RATES]
    return max(found, key=lambda one: one["validation"])


def lora_at(rate: float, name: str, most: int, epochs: int) -> dict[str, Any]:
    """LoRA in all layers at one learning rate."""
    given = task_data(name, most, 0)
    encoder = opened()
    module = LoraEncoder(encoder, TailDesign(cut=0, method="full", kind="single", outputs=len(given.labels)), 0)
    tokens = TokenInputs(encoder, given.texts)
    settings = embank.TrainingSettings(epochs=epochs, rate=rate)
    trained = train_supervised(module, given.split(tokens), settings)
    others = TokenInputs(encoder, given.test.texts)
    logits = predict_outputs(module, others, np.arange(len(given.test.texts)))
    few = np.arange(TIMED)
    # Twenty adapters are twenty passes: one is timed and counted.
    one = timed(lambda: predict_outputs(module, others, few), TIMED)
    print(name, f"LoRA at {rate:g}: validation {100 * trained.position.best:.1f}", flush=True)
    return {
        "score": macro_f1(given, logits),
        "validation": trained.position.best,
        "rate": rate,
        "seconds": trained.position.seconds,
        "speeds": {str(count): one / count for count in TASKS},
    }


def setfit(name: str, most: int, epochs: int) -> dict[str, Any] | None:
    """SetFit with its defaults, where it is installed; its pairs grow with rows, so STEPS at most."""
    del epochs
    if importlib.util.find_spec("setfit") is None:
        return None
    import datasets
    from setfit import SetFitModel, Trainer, TrainingArguments

    train, test = split(name)
    model = SetFitModel.from_pretrained(str(locate("minilm").folder.path))
    rows = datasets.Dataset.from_dict({"text": train.texts[:most], "label": train.labels[:most].tolist()})
    arguments = TrainingArguments(str(WORK / "setfit"), batch_size=16, num_epochs=1, max_steps=STEPS, report_to="none")
    started = time.perf_counter()
    Trainer(model=model, args=arguments, train_dataset=rows).train()
    seconds = time.perf_counter() - started
    guess = list(model.predict(test.texts))
    one = timed(lambda: model.predict(test.texts[:TIMED]), TIMED)
    return {
        "score": f1_score(test.labels, guess, average="macro"),
        "seconds": seconds,
        "speeds": {str(count): one / count for count in TASKS},
    }


WAYS = {"tail, banked states": tail, "LoRA in all layers (peft)": lora, "SetFit": setfit}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--sets", default="scicite,trec")
    asked = parser.parse_args()
    titles = " | ".join(f"{count} task{'s' * (count > 1)}, texts/s" for count in TASKS)
    lines = [f"| set | way | macro-F1 | training, s | {titles} |", "|---|---|---:|---:|" + "---:|" * len(TASKS)]
    for name in asked.sets.split(","):
        for way, measure in WAYS.items():
            part = f"tails-peers/{asked.rows}-{asked.epochs}/{name}-{way.split(' ')[0].strip(',')}"
            found = kept(part, lambda name=name, measure=measure: measure(name, asked.rows, asked.epochs))
            if found is None:
                continue
            speeds = " | ".join(f"{found['speeds'][str(count)]:,.0f}" for count in TASKS)
            lines.append(f"| {name} | {way} | {100 * found['score']:.1f} | {found['seconds']:.0f} | {speeds} |")
            print(lines[-1], flush=True)
    lines += ["", f"At most {asked.rows} training rows, one seed, at most {asked.epochs} passes."]
    record("Tails 4. Against recomputing", lines)


if __name__ == "__main__":
    main()
