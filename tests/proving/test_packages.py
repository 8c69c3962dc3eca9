"""Which version a program has, by the package that it belongs to."""

import json
import sys
from pathlib import Path

import pytest

from mittelo.proving.packages import packaged_version

LOADER = "#!/bin/sh\necho 0.0.1\n"


def npm(root: Path, package: object, file: str = "bin/it.js") -> Path:
    """Install a program as npm does: a link to a file of a package."""
    folder = root / "lib/node_modules/it"
    program = folder / file
    program.parent.mkdir(parents=True)
    program.write_text(LOADER)
    (folder / "package.json").write_text(json.dumps(package))
    link = root / "bin/it"
    link.parent.mkdir()
    link.symlink_to(program)
    return link


def python_program(root: Path, first: str) -> Path:
    """Install a program as pip does: a script beside the Python of an environment."""
    script = root / "bin/it.run"
    script.parent.mkdir()
    script.write_text(f"{first}\nimport it\n")
    about = root / "lib/python3.11/site-packages/it-3.2.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: it\nVersion: 3.2.1\n")
    (about / "entry_points.txt").write_text("[console_scripts]\nit.run = it:main\n")
    return script


@pytest.mark.parametrize("own", ["bin/it.js", "./bin/it.js", {"it": "bin/it.js", "other": "x"}])
def test_a_package_of_npm_tells_the_version_of_its_programs(tmp_path: Path, own: object) -> None:
    link = npm(tmp_path, {"name": "it", "version": "1.2.3", "bin": own})
    assert packaged_version(str(link)) == "1.2.3"


@pytest.mark.parametrize(
    "package",
    [{"version": "1.2.3"}, {"version": "1.2.3", "bin": {"it": "other.js"}}, [], {"bin": 3}],
)
def test_a_package_that_does_not_claim_a_program_tells_nothing_of_it(
    tmp_path: Path, package: object
) -> None:
    assert packaged_version(str(npm(tmp_path, package))) == ""


def test_a_package_of_python_tells_the_version_of_its_scripts(tmp_path: Path) -> None:
    script = python_program(tmp_path, f"#!{sys.executable}")
    assert packaged_version(str(script)) == "3.2.1"
    link = tmp_path / "it.run"
    link.symlink_to(script)
    assert packaged_version(str(link)) == "3.2.1"


def test_what_no_python_runs_is_none_of_its_scripts(tmp_path: Path) -> None:
    assert packaged_version(str(python_program(tmp_path, "#!/bin/sh"))) == ""


def test_of_what_is_not_there_nothing_is_told(tmp_path: Path) -> None:
    assert packaged_version(str(tmp_path / "nothing")) == ""
    (tmp_path / "again").symlink_to("again")
    assert packaged_version(str(tmp_path / "again")) == ""
