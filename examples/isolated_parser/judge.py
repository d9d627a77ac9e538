"""Prints what isolated_parser should print of each well-formed file, by Python's json module.

usage: judge.py FILE...
"""
import json
import os
import sys


class Counts:
    def __init__(self):
        self.values = self.objects = self.arrays = self.strings = self.numbers = self.depth = 0

    def add(self, value, depth):
        self.values += 1
        self.depth = max(self.depth, depth + isinstance(value, (Members, list)))
        if isinstance(value, Members):
            self.objects += 1
            for _, member in value.pairs:
                self.add(member, depth + 1)
        elif isinstance(value, list):
            self.arrays += 1
            for element in value:
                self.add(element, depth + 1)
        elif isinstance(value, str):
            self.strings += 1
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            self.numbers += 1


class Members:
    """An object with all its members: a dict keeps one of each name."""

    def __init__(self, pairs):
        self.pairs = pairs


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        counts = Counts()
        counts.add(json.load(file, object_pairs_hook=Members), 0)
    text = ", ".join(f"{name} {count}" for name, count in vars(counts).items())
    print(f"{path}: ok: {text}, bytes {os.path.getsize(path)}")
