"""What documents say of each other and of files is so."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.paths import ROOT

DECISIONS = ROOT / "docs" / "decisions"


def decisions() -> Iterator[Path]:
    return (path for path in sorted(DECISIONS.glob("*.md")) if path.name != "README.md")


def test_every_decision_has_a_number_of_its_own_and_stands_in_the_index_in_order() -> None:
    wanted = []
    for path in decisions():
        number = int(path.name[:4])
        title = path.read_text().splitlines()[0]
        assert title.startswith(f"# {number}. "), path.name
        wanted.append(f"- [{title.removeprefix('# ')}]({path.name})")
    listed = re.findall(r"^- .*$", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    assert listed == wanted
    assert len({line.split(".")[0] for line in wanted}) == len(wanted)


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_path_that_a_document_names_exists(document: str) -> None:
    folders = "src|docs|tools|bench|schemas|tests|contracts|chain|cli|agent|sdk|protocol|services|consensus|specs"
    named = re.findall(rf"`((?:{folders})/[\w/.]*)`", (ROOT / document).read_text())
    missing = [path for path in named if not any((root / path).exists() for root in (ROOT, ROOT / "src" / "flux"))]
    assert named
    assert missing == []


def test_the_glossary_is_in_order_and_names_nothing_twice() -> None:
    rows = re.findall(r"^\| (.*?) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)[1:]
    words = [row.lower() for row in rows]
    assert words == sorted(set(words))
