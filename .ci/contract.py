"""Writes docs/contract.md from the rules of conformance-tests; with --check, fails where the page is not what they say."""

import pathlib
import subprocess
import sys

PAGE = pathlib.Path("docs/contract.md")
COMMAND = ["cargo", "run", "--quiet", "--package", "conformance-tests", "--example", "contract"]

page = subprocess.run(COMMAND, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
if sys.argv[1:] == ["--check"]:
    if PAGE.read_text(encoding="utf-8") != page:
        sys.exit(f"{PAGE} is not what the rules say: run python3 .ci/contract.py")
    print(f"{PAGE} is what the rules say")
else:
    PAGE.write_text(page, encoding="utf-8")
