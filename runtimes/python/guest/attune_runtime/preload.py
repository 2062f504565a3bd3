"""The library that scripts are likely to use, imported once, into the snapshot."""

import importlib

MODULES = """
    abc argparse array ast asyncio atexit base64 binascii bisect calendar cmath cmd codecs
    collections collections.abc colorsys concurrent.futures concurrent.futures.thread configparser
    contextlib contextvars copy csv dataclasses datetime decimal difflib email email.message
    email.mime.multipart email.mime.text email.parser email.utils encodings.ascii encodings.idna
    encodings.latin_1 enum errno fnmatch fractions functools getpass glob graphlib gzip hashlib
    heapq hmac html html.parser http http.client http.cookies importlib.metadata
    importlib.resources importlib.util inspect io ipaddress itertools json linecache locale logging
    logging.config logging.handlers math mimetypes numbers operator optparse os pathlib pickle
    pkgutil platform posixpath pprint queue random re secrets select selectors shlex shutil signal
    socket sqlite3 ssl statistics string stringprep struct subprocess tarfile tempfile textwrap
    threading time timeit tomllib traceback types typing unicodedata unittest urllib urllib.error
    urllib.parse urllib.request uuid warnings weakref xml.dom.minidom xml.etree.ElementTree zipfile
    zlib zoneinfo _strptime
""".split()


def install() -> None:
    for name in MODULES:
        importlib.import_module(name)
