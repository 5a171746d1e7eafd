"""Fails where a Markdown page links to a file that is not there."""

import pathlib
import re
import subprocess
import sys

pages = subprocess.run(["git", "ls-files", "*.md"], capture_output=True, text=True, check=True).stdout.split()
broken = []
for page in map(pathlib.Path, pages):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not (page.parent / target).exists():
            broken.append(f"{page}: {target}")
print("\n".join(broken) or f"{len(pages)} pages, every link leads somewhere")
sys.exit(bool(broken))
