"""The page of a report: one file without addresses that can be parsed, escapes text, and suits any screen."""

import xml.etree.ElementTree as ET

from embank.reports import html

NASTY = 'a <script>alert("x")</script> & b'


def page():
    parts = [
        html.heading(NASTY), html.paragraph(NASTY), html.note(NASTY), html.advice(NASTY, NASTY), html.bullets([NASTY]),
        html.figures(["<figure></figure>"]), html.table(NASTY, [NASTY, "b"], [[NASTY, "1"], ["c", "2"]], chosen=1),
        html.table("words", ["a"], [["b"]], words=True),
    ]  # fmt: skip
    return html.page(NASTY, parts)


def tree():
    return ET.fromstring(page().removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own page


def test_a_page_needs_nothing_from_elsewhere():
    for word in ("http:", "https:", "//", "<script", "<link", "@import", "url(", "<img", "src="):
        assert word not in page(), word


def test_a_page_is_a_whole_document_that_can_be_parsed():
    assert page().startswith('<!DOCTYPE html>\n<html lang="en">')
    found = tree()
    assert found.find("head/title").text == NASTY
    assert found.find("head/meta[@charset]").attrib["charset"] == "utf-8"
    assert "width=device-width" in found.find("head/meta[@name='viewport']").attrib["content"]
    assert found.find("body/h1").text == NASTY


def test_text_is_escaped_everywhere():
    assert "".join(tree().itertext()).count(NASTY) == 11


def test_a_page_has_colours_for_the_dark_and_for_paper():
    for rule in ("prefers-color-scheme: dark", "@media print", "color-scheme: light dark"):
        assert rule in page(), rule


def test_the_row_that_stands_out_is_marked():
    rows = tree().findall(".//tbody/tr")
    assert [row.attrib.get("class") for row in rows] == [None, "chosen", None]
