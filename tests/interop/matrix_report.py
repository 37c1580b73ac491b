"""The table of the interop matrix: what passed, printed at the end and kept in docs/interop.md."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CELL = "interop cell"
DOCUMENT = "MILLSTREAM_INTEROP_DOCUMENT"  # the file to write the table to
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"


def cells(stats: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The cells of a run, out of the reports of pytest's terminal reporter."""
    found = {}
    for outcome in ("skipped", "passed", "failed", "error"):
        for report in stats.get(outcome, []):
            for name, cell in getattr(report, "user_properties", ()):
                if name == CELL:
                    key = (cell["client"], cell["role"], cell["way"])
                    found[key] = {**cell, "outcome": outcome}
    return list(found.values())


def table(cells: Iterable[dict[str, Any]]) -> list[str]:
    """A Markdown table: a row for each client and role, a column for each way."""
    by_key = {(cell["client"], cell["role"], cell["way"]): cell for cell in cells}
    versions = {
        cell["client"]: f"{cell['client']} {cell.get('version', '')}".strip()
        for cell in by_key.values()
    }
    from .matrix import Role, Way

    ways = [way.value for way in Way]
    rows = [["client", "is the", *ways]]
    for client in sorted(versions):
        for role in Role:
            results = [_result(by_key.get((client, role.value, way))) for way in ways]
            rows.append([versions[client], role.value, *results])
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return lines


def _result(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return "-"
    if cell["outcome"] == "passed":
        return f"{cell['seconds']:.1f} s"
    return cell["outcome"]


def summarize(reporter: Any) -> None:
    """Print the table, and write it to the document if asked to."""
    if not (found := cells(reporter.stats)):
        return
    lines = table(found)
    reporter.section("interop: seconds until complete, or what happened instead")
    for line in lines:
        reporter.write_line(line)
    if path := os.environ.get(DOCUMENT):
        document = Path(path)
        text = document.read_text(encoding="utf-8")
        head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
        body = "\n".join(lines)
        document.write_text(f"{head}{BEGIN}{body}\n{END}{tail}", encoding="utf-8")
