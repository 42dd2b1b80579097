"""LoRA in the upper layers, with peft, and in peft's own files.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4: a product of two narrow matrices is
added to a linear. It is added to every linear of a layer, as in QLoRA (Dettmers et al. 2023, section 4): queries and
values alone learned much less here (bench/RESULTS.md). The files name layers as the full model does, so
`peft.PeftModel.from_pretrained(full_model, folder)` reads them.
"""

import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from embank.encoders.resume import Upper
from embank.errors import UsageError
from embank.models.adapters import check_adaptable
from embank.optional import load

WEIGHTS = "adapter_model.safetensors"
DESCRIPTION = "adapter_config.json"
_PREFIX = "base_model.model."
_NAME = "default"


def add_lora(upper: Upper, rank: int, alpha: int, dropout: float, seed: int) -> dict[str, torch.nn.Parameter]:
    """Add low-rank matrices to every linear of every upper layer, and freeze all else.

    Args:
        upper: changed in place.
        rank: of the product.
        alpha: what is added is scaled by alpha / rank.
        dropout: on what it reads.
        seed: decides the first weights of A; B begins as zeros. Torch's own random numbers are not touched.

    Returns:
        The parameters to train, named as in peft's files without their prefix.

    Raises:
        UsageError: no layer is left to adapt, layers are shared, or there is LoRA already.
        ExtraMissingError: peft is not installed.
    """
    check_adaptable(upper, "LoRA")
    places = [f"{upper.anatomy.layers}.{number}" for number in upper.layers]
    paths = [
        f"{place}.{path}"
        for place, layer in zip(places, upper.layers.values(), strict=True)
        for path, module in layer.named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    trained = _inject(upper, paths, {"r": rank, "lora_alpha": alpha, "lora_dropout": dropout})
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in trained.items():
            if name.endswith("lora_A.weight"):
                drawn = torch.empty(parameter.shape)
                torch.nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
                parameter.copy_(drawn)
    return trained


def export_lora(upper: Upper, folder: Path, base: str) -> None:
    """Write `adapter_model.safetensors` and `adapter_config.json` into a folder, which is made where it is missing.

    Args:
        upper: with LoRA added.
        folder: where to write; files of these names are replaced.
        base: name or folder of the full encoder, for whoever reads the files.

    Raises:
        UsageError: it has no LoRA.
    """
    trained = _trained(upper)
    settings = getattr(upper.model, "peft_config", {}).get(_NAME)
    if not trained or settings is None:
        raise UsageError("this tail has no LoRA to write: build it with the method lora")
    folder.mkdir(parents=True, exist_ok=True)
    written = load("peft", "lora").LoraConfig(
        r=settings.r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        # peft shortens long lists by what tells modules apart in the cut model; the full model has more of them.
        target_modules=sorted({name.partition(".lora_")[0] for name in trained}),
        base_model_name_or_path=base,
        inference_mode=True,
    )
    written.save_pretrained(str(folder))
    tensors = {f"{_PREFIX}{name}": value.detach().cpu().contiguous() for name, value in trained.items()}
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})


def _inject(upper: Upper, paths: list[str], settings: dict[str, Any]) -> dict[str, torch.nn.Parameter]:
    peft = load("peft", "lora")
    if _trained(upper):
        raise UsageError("this tail has LoRA already: build it anew from its encoder")
    config = peft.LoraConfig(**settings, target_modules=paths)
    with torch.random.fork_rng(devices=[]):  # peft draws first weights that are replaced
        peft.inject_adapter_in_model(config, upper.model, adapter_name=_NAME)
    upper.train(upper.training)
    upper.requires_grad_(requires_grad=False)
    trained = _trained(upper)
    for parameter in trained.values():
        parameter.requires_grad = True
    return trained


def _trained(upper: Upper) -> dict[str, torch.nn.Parameter]:
    if upper.model is None:
        return {}
    return {
        name.replace(f".{_NAME}.", "."): parameter
        for name, parameter in upper.model.named_parameters()
        if ".lora_A." in name or ".lora_B." in name
    }
