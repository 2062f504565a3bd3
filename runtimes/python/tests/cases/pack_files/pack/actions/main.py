"""Modules of the pack, beside the entry and in lib/, and data files by relative path."""

import beside
from shared.names import NAME

with open("data/words.txt") as file:
    print(beside.NAME, NAME, file.read().split())
try:
    open("data/new.txt", "w")
except OSError as error:
    print(type(error).__name__)
