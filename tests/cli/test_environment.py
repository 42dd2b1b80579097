"""Variables of the environment: which flags have one, and what they mean."""

from embank.cli._app import app

COMPUTE = ("--backend", "torch", "--dtype", "float32")
COMMANDS = [
    "sample",
    "encode",
    "fit",
    "predict",
    "info",
    "tasks",
    "verify",
    "encoders",
    "search",
    "dedup",
    "export",
    "forget",
    "plan",
    "evaluate",
    "baseline",
    "multitask",
    "prefix",
    "distill",
]
VARIABLES = ("--backend", "--cache", "--dtype", "--local-files-only", "--quiet")


def test_flags_of_a_whole_session_may_stand_in_the_environment(bank, run, sample, tmp_path, monkeypatch):
    monkeypatch.setenv("EMBANK_QUIET", "1")
    monkeypatch.setenv("EMBANK_BACKEND", "jax")
    done = run("encode", bank, sample, "--text", "message")
    assert (done.code, "unknown backend 'jax'" in done.err) == (1, True)
    done = run("encode", bank, sample, "--text", "message", *COMPUTE)
    assert (done.code, done.out) == (0, "")


def _options():
    """Every option of every command, by the command's words."""
    import typer.main

    group = typer.main.get_command(app)
    assert list(group.commands) == COMMANDS
    waiting = [((name,), command) for name, command in group.commands.items()]
    for words, command in waiting:
        waiting += [((*words, name), one) for name, one in getattr(command, "commands", {}).items()]
        yield from ((words, one) for one in command.params if one.param_type_name == "option" and one.name != "help")


def test_no_flag_but_those_of_a_whole_session_has_an_environment_variable():
    seen = set()
    for words, parameter in _options():
        long = next(option for option in parameter.opts if option.startswith("--"))
        own = f"EMBANK_{long[2:].replace('-', '_').upper()}" if long in VARIABLES else None
        assert parameter.envvar == own, (words, long)
        seen.add(long)
    assert seen >= set(VARIABLES)


def test_a_flag_with_an_environment_variable_means_the_same_in_every_command():
    meanings = {}
    for _, parameter in _options():
        if parameter.envvar:
            meanings.setdefault(parameter.envvar, set()).add(parameter.help)
    assert [variable for variable, said in meanings.items() if len(said) > 1] == []


def test_nothing_that_drops_or_replaces_is_set_by_the_environment():
    dropping = [one for words, one in _options() if words[-1] in ("forget", "remove", "replace")]
    assert dropping
    assert {one.envvar for one in dropping} <= {None, "EMBANK_QUIET", "EMBANK_CACHE", "EMBANK_LOCAL_FILES_ONLY"}
