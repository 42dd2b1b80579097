"""Bad input to every command: one line on standard error, and a failing exit."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["encode", "{bank}", "{sample}", "--text", "mesage"], "did you mean 'message'"),
        (["encode", "{bank}", "nowhere.csv"], "no file or folder nowhere.csv"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--columns", "minilm/9/mean"], "layers 0 to 6"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--columns", "minilm/mean"], "encoder/layer/pooling"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--codec", "int2"], "int2"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--encoder", "no/../where"], "no encoder at"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--encoder", "minilm", "--long", "windows"], "reads differently"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--backend", "jax"], "unknown backend 'jax'"),
        (["encode", "{bank}", "{sample}", "--text", "message", "--format", "xml"], "xml"),
        (["encode", "{bank}"], "give files to encode"),
        (["encode", "{folder}", "{sample}", "--text", "message"], "in use by something else"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topc", "--id", "id"], "did you mean 'topic'"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topic"], "has no column 'text'"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topic", "--id", "message"], "360 text not in the bank"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topic", "--id", "id", "--kind", "many"], "unknown kind of task"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topic", "--id", "id", "--kind", "regression"], "is no number"),
        (["fit", "{bank}", "{sample}", "--task", "t", "--label", "topic", "--id", "id", "--columns", "minilm/1/mean"], "no column"),
        (["fit", "{bank}", "{sample}", "--task", "a/b", "--label", "topic", "--id", "id"], "no name for a task"),
        (["fit", "{bank}", "--task", "t"], "give a file of labels"),
        (["fit", "{bank}", "--task", "t", "--refit"], "no task 't'"),
        (["predict", "{bank}", "-o", "out.xlsx"], ".xlsx"),
        (["predict", "{bank}", "-o", "no/where/out.csv"], "no/where"),
        (["predict", "{bank}", "-o", "{folder}/o.csv", "--task", "mood"], "no task 'mood'; it has: satisfaction"),
        (["tasks", "{folder}"], "is not a bank"),
        (["info", "nowhere"], "there is no bank at nowhere"),
        (["verify", "{folder}"], "is not a bank"),
        (["forget", "{bank}"], "say what to forget"),
        (["forget", "{bank}", "--task", "mood"], "no task 'mood'"),
        (["forget", "{bank}", "--columns", "minilm/5/mean"], "no column 'minilm/5/mean@float16'"),
        (["forget", "{bank}", "--ids", "nowhere.txt"], "no file or folder nowhere.txt"),
        (["encoders", "nowhere"], "nowhere"),
    ],
)  # fmt: skip
def test_a_users_mistake_gets_one_line_and_a_failing_exit(arguments, said, made, sample, run, tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "something").write_text("else")
    monkeypatch.chdir(tmp_path)
    filled = [argument.format(bank=made, sample=sample, folder=folder) for argument in arguments]
    done = run(*filled)
    assert done.code == 1, done.out
    assert said in done.err
    assert done.err.startswith("embank: ")
    assert len(done.err.strip().splitlines()) == 1
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dedup", "bank"), "missing option '--output' / '-o'"),
        (("encode",), "missing argument 'BANK'"),
        (("encode", "bank", "--nope"), "no such option: --nope"),
        (("nope",), "no such command 'nope'"),
        (("prefix", "add"), "see embank prefix add --help"),
        (("fit", "bank", "--task", "mood", "--cut", "high"), "invalid value for '--cut'"),
        (("fit", "bank", "--task", "mood", "--seed", "-1"), "invalid value for '--seed'"),
        (("encode", "bank", "--max-tokens", "0"), "invalid value for '--max-tokens'"),
    ],
)
def test_words_that_are_no_command_get_one_line_and_the_status_2(words, said, run):
    found = run(*words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert found.err.startswith("embank: ")
    assert found.err.count("\n") == 1


@pytest.mark.parametrize("words", [(), ("multitask",), ("prefix",), ("distill",), ("baseline",), ("evaluate",)])
def test_a_group_of_commands_alone_shows_its_help(words, run):
    found = run(*words)
    assert found.code == 2
    assert "Usage: " in found.out + found.err
