"""What a renderable looks like on a terminal."""

from __future__ import annotations

import io

from rich.console import Console


def drawn(renderable, width=60, encoding="utf-8"):
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=output, width=width, color_system=None).print(renderable)
    output.flush()
    return [line.rstrip() for line in output.buffer.getvalue().decode(encoding).splitlines()]
