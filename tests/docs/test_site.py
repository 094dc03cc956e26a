"""The documentation builds as a site, without warnings and without the network, and nothing in it leads nowhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "out"
    # Any use of the network fails: there is no such proxy.
    proxy = "http://localhost:1"
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "https_proxy": proxy, "http_proxy": proxy}
    command = [sys.executable, "-m", "mkdocs", "--quiet", "build", "--strict", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.mark.slow
def test_every_page_of_the_tree_is_in_the_site_and_in_its_navigation(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert (site / name).is_file()
        assert f'href="{name}"' in home or name == "index.html", f"{name} is not in the navigation"


@pytest.mark.slow
def test_the_site_takes_nothing_from_elsewhere_and_its_links_lead_somewhere(site: Path) -> None:
    broken, fetched = [], []
    for page in set(site.rglob("*.html")) - {site / "404.html"}:  # which a server shows at any depth
        text = page.read_text(encoding="utf-8")
        fetched += re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="?(https?:[^"> ]+)', text)
        for target in re.findall(r' (?:href|src)="(?!\w+:)([^"#?]+)', text):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(site)}: {target}")
    assert (broken, fetched) == ([], [])


@pytest.mark.slow
def test_the_interface_is_that_of_the_code(site: Path) -> None:
    import mho

    page = (site / "reference" / "api.html").read_text(encoding="utf-8")
    missing = [name for name in mho.__all__ if not name.startswith("_") and f".{name}\"" not in page]
    assert missing == []
    assert "Quantise" in page


@pytest.mark.slow
def test_the_search_has_the_names_of_keys_as_words(site: Path) -> None:
    """As the search of the site cuts its words, which it reduces to what stands between marks at both ends."""
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    separator = re.compile(index["config"]["separator"])

    def pages_with(word: str) -> set[str]:
        texts = ((doc["location"].partition("#")[0], re.sub(r"<[^>]+>", " ", doc["text"])) for doc in index["docs"])
        return {page for page, text in texts if word in (part.strip("\"'`.*") for part in separator.split(text))}

    for key in ("adc.bits", "core.corelet", "timing.t_sample_ns"):
        assert "reference/chip.html" in pages_with(key), key
    assert "reference/glossary.html" in pages_with("conversion")


@pytest.mark.slow
def test_a_page_has_one_heading_of_the_first_level(site: Path) -> None:
    several = {}
    for page in set(site.rglob("*.html")) - {site / "404.html"}:
        count = len(re.findall(r"<h1\b", page.read_text(encoding="utf-8")))
        if count != 1:
            several[page.relative_to(site).as_posix()] = count
    assert several == {}
