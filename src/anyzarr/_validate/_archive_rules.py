"""What RFC-9 asks of an archive that holds OME-Zarr."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from anyzarr._validate._archive import ArchiveFacts, archive_facts, archive_of
from anyzarr._validate._findings import ArchiveRule, Finding, Findings
from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError
from anyzarr.stores import LocalStore, ZipStore

__all__ = ["check_archive", "check_embedded"]

_SEEN_BYTES = 4096 - 22 - 20 - 56
"""Of the last 4 KB, in which some readers look for the end records, what is left for a comment."""

_MUST: Final = {
    "ozx-root": "holds zarr.json at its root",
    "ozx-one-hierarchy": "holds one hierarchy",
    "ozx-embedded": "lies in no other hierarchy",
    "ozx-split": "is not split into parts",
    "ozx-json-first": "jsonFirst in the comment is so",
    "ozx-unreadable": "no entry is encrypted, or compressed by a method that readers lack",
}
_SHOULD: Final = {
    "ozx-zip64": "is in the ZIP64 format",
    "ozx-compressed": "entries are stored as they are",
    "ozx-sharding": "arrays are sharded",
    "ozx-order": "zarr.json of the root first, then all others, breadth-first",
    "ozx-name": "the name ends in .ozx",
    "ozx-comment": "the comment is JSON that names the version",
    "ozx-version": "the comment's version is that of the metadata",
    "ozx-comment-length": "the comment is short",
    "ozx-duplicates": "no entry is there twice",
    "ozx-strays": "no entry belongs to no hierarchy",
}
_SHOWN = 3
_COMMENT = "comment"


def check_archive(store: Store, findings: Findings) -> tuple[ArchiveRule, ...]:
    """Complain about the archive that a hierarchy lies in, if it lies in one.

    Returns the rules, met and broken; none where there is no archive.

    What RFC-9 demands is an error in an ``.ozx``, and in whatever says in its comment that it is
    one; in other zip archives it is a warning.
    """
    archive = archive_of(store)
    if archive is None:
        return ()
    facts = archive_facts(archive)
    claims = facts.name.lower().endswith(".ozx") or facts.comment_version is not None
    rules = _Rules(facts, findings, claims)
    rules.check_root()
    rules.check_order()
    rules.check_comment()
    rules.check_entries()
    if _is_embedded(archive):
        rules.must(
            "ozx-embedded",
            "",
            "the archive lies in another hierarchy, which an archive of OME-Zarr must not; move "
            "it out",
        )
    # Without a root there is no hierarchy whose order could be right.
    verdicts = _verdicts(findings)
    return tuple(rule for rule in verdicts if facts.has_root or rule.rule != "ozx-order")


def split_archive(error: AnyzarrError, findings: Findings) -> tuple[ArchiveRule, ...]:
    """Complain about an archive that cannot be opened because it is split into parts."""
    findings.error(Finding("", error.key or "", "ozx-split", str(error)))
    # Nothing else is known of it.
    return tuple(rule for rule in _verdicts(findings) if not rule.met)


def _verdicts(findings: Findings) -> tuple[ArchiveRule, ...]:
    broken = {finding.rule for finding in (*findings.errors, *findings.warnings)}
    return tuple(
        ArchiveRule(rule, demand, says, rule not in broken)
        for demand, rules in (("MUST", _MUST), ("SHOULD", _SHOULD))
        for rule, says in rules.items()
    )


def check_embedded(store: Store, path: str, findings: Findings) -> None:
    """Complain about archives that lie directly in the group at a path."""
    if archive_of(store) is not None or not store.capabilities.listable:
        return
    prefix = f"{path}/" if path else ""
    for key in store.list_level(prefix).keys:
        if key.lower().endswith(".ozx"):
            name = key.rpartition("/")[2]
            findings.error(
                Finding(
                    path,
                    name,
                    "ozx-embedded",
                    "an archive of OME-Zarr must not lie in another hierarchy; move it out",
                )
            )


@dataclass(frozen=True, slots=True)
class _Rules:
    facts: ArchiveFacts
    findings: Findings
    claims: bool

    def must(self, rule: str, where: str, message: str, path: str = "") -> None:
        complain = self.findings.error if self.claims else self.findings.warning
        complain(Finding(path, where, rule, message))

    def should(self, rule: str, where: str, message: str) -> None:
        self.findings.warning(Finding("", where, rule, message))

    def check_root(self) -> None:
        facts = self.facts
        if not facts.has_root:
            nearest = min(facts.documents, key=lambda key: key.count("/"), default=None)
            there = "there is none" if nearest is None else f"the first is {nearest!r}"
            there = "it is Zarr v2, which has none" if facts.is_v2 else there
            self.must(
                "ozx-root",
                "",
                f"the archive must hold 'zarr.json' at its root ({there}); pack it anew with "
                "anyzarr convert",
            )
        folders = {key.rpartition("/")[0] for key in facts.documents}
        tops = sorted(f for f in folders - {""} if f.rpartition("/")[0] not in folders)
        # One in a folder is one, in the wrong place.
        for folder in tops if facts.has_root else tops[1:]:
            self.must(
                "ozx-one-hierarchy",
                f"{folder}/zarr.json",
                "the archive must hold one hierarchy, and this node is in none, or in a second "
                "one: there is no group above it",
                path=folder,
            )

    def check_order(self) -> None:
        facts = self.facts
        if facts.claims_json_first and not facts.is_json_first:
            self.must(
                "ozx-json-first",
                _COMMENT,
                "it says jsonFirst, and a zarr.json follows an entry that is none: readers that "
                "believe it do not find it; pack it anew",
            )
        if facts.has_root and not facts.is_ordered:
            self.should(
                "ozx-order",
                "",
                "the root's zarr.json should be the first entry, in the file and in the "
                "directory, and all others should follow at once, breadth-first",
            )

    def check_comment(self) -> None:
        facts = self.facts
        if facts.comment_version is None:
            kind = "names no version" if facts.comment_is_json else "is no JSON object"
            kind = kind if facts.comment_bytes else "is empty"
            self.should(
                "ozx-comment",
                _COMMENT,
                f'it {kind}; it should be {{"ome": {{"version": …}}}} at least',
            )
        elif facts.root_version is not None and facts.comment_version != facts.root_version:
            self.should(
                "ozx-version",
                _COMMENT,
                f"it says version {facts.comment_version}, and the root's metadata "
                f"{facts.root_version}",
            )
        if facts.is_misplaced:
            self.should(
                "ozx-comment",
                _COMMENT,
                "it has jsonFirst where nobody looks for it, or neither true nor false; it belongs "
                "in ome.zipFile.centralDirectory",
            )
        if facts.comment_bytes > _SEEN_BYTES:
            self.should(
                "ozx-comment-length",
                _COMMENT,
                f"it is {facts.comment_bytes} bytes long; readers that look for the end records "
                f"in the last 4 KB of the file find none after {_SEEN_BYTES}",
            )

    def check_entries(self) -> None:
        facts = self.facts
        if not facts.name.endswith(".ozx"):
            self.should("ozx-name", "", f"its name should end in '.ozx', and is {facts.name!r}")
        if not facts.is_zip64:
            self.should("ozx-zip64", "", "it should be in the ZIP64 format, whatever its size")
        for rule, names, message in (
            (
                "ozx-compressed",
                facts.compressed,
                "{} compressed; they should be stored as they are",
            ),
            ("ozx-duplicates", facts.duplicates, "{} there more than once; the last one counts"),
            ("ozx-strays", facts.strays, "{} no part of a hierarchy; leave them out"),
        ):
            if names:
                self.should(rule, names[0], message.format(_some(names, "entry", "entries")))
        for name in facts.unreadable:
            self.must(
                "ozx-unreadable",
                name,
                "it is encrypted, or compressed by a method that readers do not know",
            )
        if facts.unsharded:
            some = _some([path or "/" for path in facts.unsharded], "array", "arrays")
            self.should(
                "ozx-sharding",
                facts.unsharded[0],
                f"{some} not sharded, which makes many small entries; arrays in an archive should "
                "be (anyzarr convert --shards auto)",
            )


def _some(names: Iterable[str], one: str, many: str) -> str:
    listed = list(names)
    shown = ", ".join(repr(name) for name in listed[:_SHOWN])
    more = ", …" if len(listed) > _SHOWN else ""
    what = one if len(listed) == 1 else many
    return f"{len(listed)} {what} ({shown}{more}) {'is' if len(listed) == 1 else 'are'}"


def _is_embedded(archive: ZipStore) -> bool:
    """Whether there is a node where the archive lies; of a local file, or anywhere above it."""
    names = ("zarr.json", ".zgroup")
    if archive.container is not None:
        container, key = archive.container
        folders = key.split("/")[:-1]
        prefixes = ["/".join(folders[:n]) + "/" if n else "" for n in range(len(folders) + 1)]
        return any(container.head(p + name) is not None for p in prefixes for name in names)
    parts = archive.spec.root.split("/")[:-1]
    return any(
        LocalStore("/".join(parts[:n]) or "/").head(name) is not None
        for n in range(1, len(parts) + 1)
        for name in names
    )
