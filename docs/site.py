# ruff: noqa: INP001, T201 - a script, not a package
"""Builds the documentation site from docs/ into site/; a warning of the generator is an error.

    python docs/site.py

The pages are copied first, because some of what they link to lies outside docs/: the README, the changelog and the
results get pages of their own, and a link to any other file leads to the repository. The navigation follows
docs/index.md, which names every page, in the order of Diataxis: tutorial, how-to, reference, explanation, decisions.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
STAGED = ROOT / "build" / "site"
SITE = ROOT / "site"
# What lies outside docs/ and becomes a page.
OUTSIDE = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "UPGRADING.md": "upgrading.md",
    "CONTRIBUTING.md": "contributing.md",
    "bench/RESULTS.md": "results.md",
}
SECTIONS = {"howto": "How to", "reference": "Reference", "explanation": "Explanation", "decisions": "Decisions"}

_LINK = re.compile(r"(?<=\]\()([^)\s#]+)")
_FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
_LOADED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=[\"']?https?://[^\"'\s>]+")
_STYLE = re.compile(r"<link\b[^>]*?\brel=[\"']?(?:stylesheet|preconnect|preload|icon)\b[^>]*?\bhttps?://[^\"'\s>]+")


def main() -> None:
    """Stage the pages, build them, and refuse a site that loads anything from another host."""
    stage()
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    built = subprocess.run(command, cwd=STAGED, check=False)  # noqa: S603 - the generator of this environment
    if built.returncode:
        sys.exit(built.returncode)
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.copytree(STAGED / "site", SITE)
    if loaded := loaded_from_elsewhere():
        sys.exit("\n".join(["the site loads from other hosts:", *loaded]))
    print(f"{len(list(SITE.rglob('index.html')))} pages in {SITE.relative_to(ROOT)}/index.html")


def stage() -> None:
    """Copy every page to build/site/docs, with links that hold there, and write the configuration beside it."""
    shutil.rmtree(STAGED, ignore_errors=True)
    for source, target in staged_pages().items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page_for_site(source), encoding="utf-8")
    written = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    settings = written.replace("[project]\n", f"[project]\nnav = {toml_value(navigation())}\n", 1)
    (STAGED / "zensical.toml").write_text(settings, encoding="utf-8")


def staged_pages() -> dict[Path, Path]:
    """Every page and picture of the site: where it is written, and where it is copied to."""
    sources = sorted([*DOCS.rglob("*.md"), *DOCS.rglob("*.svg")])
    pages = {source: STAGED / "docs" / source.relative_to(DOCS) for source in sources}
    return pages | {ROOT / source: STAGED / "docs" / name for source, name in OUTSIDE.items()}


def page_for_site(source: Path) -> str:
    """A page with its links to files outside docs/ rewritten; what stands in code blocks stays."""
    pages = staged_pages()

    def rewritten(link: re.Match[str]) -> str:
        target = (source.parent / link[1]).resolve()
        if "://" in link[1] or link[1].startswith("mailto:") or not target.is_relative_to(ROOT):
            return link[1]
        if target in pages:
            return Path(os.path.relpath(pages[target], pages[source].parent)).as_posix()
        kind = "tree" if target.is_dir() else "blob"
        return f"{repository()}/{kind}/main/{target.relative_to(ROOT).as_posix()}"

    parts = _FENCE.split(source.read_text(encoding="utf-8"))
    return "".join(part if part.startswith("```") else _LINK.sub(rewritten, part) for part in parts)


def navigation() -> list[object]:
    """The navigation: sections in the order of Diataxis, pages in the order in which docs/index.md links to them."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    linked = list(dict.fromkeys(target for target in _LINK.findall(index) if (DOCS / target).is_file()))
    sections: list[object] = [{"Overview": "index.md"}, {"Tutorial": "tutorial.md"}, {"Glossary": "glossary.md"}]
    for folder, title in SECTIONS.items():
        sections.append({title: [target for target in linked if target.startswith(f"{folder}/")]})
    outside = [{"README": name} if name == "readme.md" else name for name in OUTSIDE.values()]
    return [*sections, {"Project": outside}]


def toml_value(value: object) -> str:
    """A list, a table or a string as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml_value(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(entry) for entry in value) + "]"
    return json.dumps(value)


def repository() -> str:
    """The address of the repository, as pyproject.toml has it."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["urls"]["Source"])


def loaded_from_elsewhere() -> list[str]:
    """What pages load from other hosts while they are viewed; links that a reader follows are not meant."""
    found = []
    for page in sorted(SITE.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        matches = [*_LOADED.finditer(text), *_STYLE.finditer(text)]
        found += [f"{page.relative_to(SITE)}: {match[0]}" for match in matches]
    return found


if __name__ == "__main__":
    main()
