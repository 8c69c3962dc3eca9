"""Read the configuration, layer by layer, into settings; nothing broken in it stops a reader."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mittelo.config.checks import check_harnesses, check_settings
from mittelo.config.findings import ConfigurationError, Finding, Gravity, Key
from mittelo.config.layers import Source, environment_source, merge, origin_of, read_source
from mittelo.config.legacy import modernize
from mittelo.config.models import Catalogue
from mittelo.config.paths import WorkspacePaths, user_config
from mittelo.config.providers import Provider, find_providers
from mittelo.config.schema import Settings
from mittelo.config.shapes import shaped
from mittelo.core.routes import Key as RunnerKey
from mittelo.harness.base import Harness
from mittelo.harness.registry import all_harnesses
from mittelo.log import warn


class Configuration(Struct, frozen=True):
    """The settings, what follows from them, what was found wrong, and where each is from."""

    catalogue: Catalogue
    providers: list[Provider]
    findings: list[Finding]
    origins: dict[Key, Source]
    sources: list[Source]

    @property
    def settings(self) -> Settings:
        """Return all settings."""
        return self.catalogue.settings

    @property
    def harnesses(self) -> dict[str, Harness]:
        """Return every harness by each of its names."""
        return dict(self.catalogue.harnesses)

    def of(self, *gravities: Gravity) -> list[Finding]:
        """Return the findings of these gravities."""
        return [finding for finding in self.findings if finding.gravity in gravities]

    def require_sound(self, *, lanes: bool) -> None:
        """Raise when something is wrong; what spoils only lanes counts with `lanes`."""
        wrong = self.of(Gravity.ERROR, *([Gravity.LANE] if lanes else []))
        if wrong:
            raise ConfigurationError(wrong)

    def warn_of_version(self) -> None:
        """Say that a file is of another version, in a command that tells of nothing else."""
        for finding in self.of(Gravity.NOTE):
            if finding.key == ("schema_version",):
                warn(str(finding))

    def quota_scope(self, runner: RunnerKey) -> str:
        """Return what a usage limit on a runner covers."""
        for provider in self.providers:
            if runner in provider.members:
                return f"provider:{provider.name}"
        harness, model = runner
        known = self.catalogue.harnesses.get(harness)
        return known.quota_scope(model) if known else harness


def load_configuration(paths: WorkspacePaths) -> Configuration:
    """Load the user's file, the repository's and the environment, each laid over the last."""
    return assemble(*_read(paths, {}))


def preview(paths: WorkspacePaths, file: Path, text: str, *, on_top: bool = False) -> Configuration:
    """Return the configuration as it would be if a file held this text.

    `on_top` lays this file over all else, to see what it says by itself.
    """
    sources, findings = _read(paths, {file: text})
    if on_top:
        sources.sort(key=lambda source: source.path == str(file))
    return assemble(sources, findings)


def _read(paths: WorkspacePaths, drafts: Mapping[Path, str]) -> tuple[list[Source], list[Finding]]:
    files = {"user": user_config(), "repository": paths.config}
    read = [read_source(layer, path, drafts.get(path)) for layer, path in files.items()]
    read.append(environment_source(os.environ))
    return [s for s, _ in read], [finding for _, found in read for finding in found]


def assemble(sources: list[Source], findings: list[Finding]) -> Configuration:
    """Make one configuration of these layers; `findings` are those made in reading them."""
    findings = list(findings)
    modern: list[Source] = []
    for source in sources:
        renamed, notes = modernize(source)
        table, found = shaped(renamed)
        findings += [*notes, *found]
        modern.append(replace(renamed, table=table))
    merged, origins = merge(modern)
    settings = msgspec.convert(merged, Settings)
    catalogue, found = _catalogue(settings, merged)
    providers, wrong = find_providers(catalogue)
    placed = _placed([*found, *check_settings(catalogue), *wrong], origins)
    broken = {finding.key for finding in findings}
    findings += [f for f in placed if not broken & {f.key, (*f.key, "command")}]
    return Configuration(catalogue, providers, findings, origins, modern)


def editor() -> str:
    """Return the user's editor, which may carry arguments."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"


def environment() -> dict[str, str]:
    """Return a copy of our environment, for a process that we start."""
    return dict(os.environ)


def _catalogue(settings: Settings, merged: dict[str, Any]) -> tuple[Catalogue, list[Finding]]:
    """Return the harnesses that can be used, and what is wrong with the others."""
    found = [*check_harnesses(settings, merged.get("harness", {}))]
    broken = {finding.key[1] for finding in found if finding.gravity is Gravity.ERROR}
    tables = {name: t for name, t in settings.harness.items() if name not in broken}
    declared = {name: table.declaration() for name, table in tables.items() if table.command}
    return Catalogue(settings, all_harnesses(declared)), found


def _placed(findings: list[Finding], origins: dict[Key, Source]) -> list[Finding]:
    placed = []
    for finding in findings:
        source = origin_of(finding.key, origins)
        where = source.where(finding.key, finding.item) if source else ""
        placed.append(replace(finding, where=where))
    return placed
