"""Prints where the PowerShell scripts that it is given are not PowerShell, and exits with 1 if there is such a place."""

import sys

import tree_sitter
import tree_sitter_powershell


def mistakes(node):
    if node.is_error or node.is_missing:
        yield node
    for child in node.children:
        yield from mistakes(child)


parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
found = False
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        tree = parser.parse(file.read())
    for node in mistakes(tree.root_node):
        found = True
        print(f"{name}:{node.start_point.row + 1}:{node.start_point.column + 1}: {node.text[:60]!r}")
sys.exit(found)
