"""`embank verify`: whether a bank is whole."""

import json
from dataclasses import asdict

import typer

import embank
from embank.cli import _flags as flags


def verify(bank: flags.BankPath, as_json: flags.AsJson = False) -> None:
    """Check every digest and every row; lists all damage, and exits with 1 if there is any."""
    from embank.store.cache import AUXILIARY

    with embank.Bank.open(bank) as opened:
        found = opened.verify()
        texts = len(opened) if not found else 0
        readable = not any(damage.kind == "catalogue" for damage in found)
        columns = {one.fingerprint: one.name for one in opened.summary().columns} if found and readable else {}
    if as_json:
        typer.echo(json.dumps({"whole": not found, "damage": [asdict(damage) for damage in found]}))
    elif found:
        for damage in found:
            column = next((f" (column {name})" for digest, name in columns.items() if digest in damage.where), "")
            typer.echo(f"{damage.kind}: {damage.where}{column}: {damage.what}", err=True)
        lost = [damage for damage in found if damage.where.partition("/")[0] not in AUXILIARY]
        if lost:
            typer.echo(
                f"{len(lost)} damaged: forget the column that is hit (embank forget {bank} --column SPEC), "
                "then encode again",
                err=True,
            )
    else:
        typer.echo(f"{bank} is whole: {texts:,} texts, every digest and every row checked")
    if found:
        raise typer.Exit(1)
