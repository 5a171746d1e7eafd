"""Writes docs/contract.md from the rules in conformance-tests; with --check, fails where the page is not what they say."""

import pathlib
import re
import sys

PAGE = pathlib.Path("docs/contract.md")
RULES = pathlib.Path("conformance-tests/src/rules")
GROUPS = {
    "K": "Keys",
    "W": "Writes",
    "C": "Conditions",
    "R": "Reads",
    "M": "Metadata",
    "L": "Listing",
    "D": "Delete",
    "X": "Copy and move",
    "E": "Errors",
    "S": "Safety",
    "V": "Versions and checksums",
}
HEAD = """# The contract

What every driver promises, through every wrapper and sub-root, from one task and from many. Each rule is a test of its own name in
[conformance-tests](../conformance-tests/src/rules), and this page is made from those tests (`python3 .ci/contract.py`).

The model is an object store: an ordered map from keys to immutable objects. `/` has no meaning but in delimited listings. A rule
that a medium cannot keep is waived only by a capability that its driver declares; the operation is then `Unsupported` and
changes nothing. The ids are stable, and gaps in them are rules for media of which there is no driver yet.

One rule is proved outside the suite, by the system calls of the local driver: **W16**, an Ok means durable. File, directory and
every directory newly made are synced before a put, copy, move or delete returns, unless a faster mode is chosen.
"""
RULE = re.compile(r"((?:^///.*\n)+)(?:^#\[.*\]\n)*^pub async fn ([a-z]\d\d)_(\w+)", re.M)


def rules():
    for path in sorted(RULES.glob("*.rs")):
        for doc, number, name in RULE.findall(path.read_text(encoding="utf-8")):
            lines = [line[3:].strip() for line in doc.strip().splitlines()]
            text = " ".join(lines).removeprefix(f"{number.upper()}: ")
            yield number.upper(), f"{number}_{name}", path, text


def page():
    found = sorted(rules(), key=lambda rule: rule[:2])
    out = [HEAD]
    for letter, title in GROUPS.items():
        out.append(f"\n## {letter}. {title}\n\n")
        for number, name, path, text in found:
            if number[0] == letter:
                out.append(f"- **{number}** {text} ([`{name}`](../{path}))\n")
    return "".join(out)


if sys.argv[1:] == ["--check"]:
    if PAGE.read_text(encoding="utf-8") != page():
        sys.exit(f"{PAGE} is not what the rules say: run python3 .ci/contract.py")
    print(f"{PAGE} is what the rules say")
else:
    PAGE.write_text(page(), encoding="utf-8")
