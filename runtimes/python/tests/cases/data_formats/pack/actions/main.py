"""Numbers, digests and text formats, with the C implementations where there are any."""

import _decimal
import configparser
import csv
import decimal
import fractions
import hashlib
import hmac
import io
import re
import statistics
import tomllib
import xml.etree.ElementTree as ElementTree

print(decimal.Decimal is _decimal.Decimal, decimal.getcontext().prec, decimal.Decimal(1) / 7)
print(fractions.Fraction(1, 3) + 1, statistics.median([3, 1, 2]))
print(hashlib.sha256(b"x").hexdigest()[:8], hashlib.blake2b(b"x").hexdigest()[:8])
print(hmac.digest(b"k", b"m", "sha256")[:2])
print(list(csv.DictReader(io.StringIO('a,b\n1,"x,y"\n'))))
print(tomllib.loads("[a]\nb = [1, 2]"), re.findall(r"(?P<n>\d+)", "a1b22"))
print(ElementTree.fromstring("<a><b c='d'/></a>").find("b").attrib)
config = configparser.ConfigParser()
config.read_string("[s]\nk = v")
print(dict(config["s"]))
