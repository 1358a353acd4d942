"""``python -m docs.generate``: write every page and picture that is made from the code."""

from __future__ import annotations

import sys

from docs.generate.pages import ROOT, pages


def main() -> int:
    """Write what has changed, and say what."""
    for path, render in pages().items():
        text = render()
        target = ROOT / path
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
