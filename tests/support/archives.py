"""Archives that a hostile or careless client might upload."""

import gzip
import io
import itertools
import tarfile
from collections.abc import Iterable

from support.packs import archive_files, pack_files

Member = tuple[tarfile.TarInfo, bytes]


def with_members(ref: str, members: Iterable[Member]) -> bytes:
    """A good pack of this ref, and then these members."""
    own = [_file(name, content) for name, content in pack_files(ref, run="print(1)\n").items()]
    return _packed(itertools.chain(own, members))


def with_modes(files: dict[str, bytes], modes: dict[str, int]) -> bytes:
    """A pack of these files, some of which claim modes of their own."""
    members = [_file(name, content) for name, content in files.items()]
    for info, _ in members:
        info.mode = modes.get(info.name, 0o644)
    return _packed(members)


def with_link(files: dict[str, bytes], name: str, target: str) -> bytes:
    """A pack of these files, one of which is a link instead."""
    others = [_file(path, content) for path, content in files.items() if path != name]
    return _packed([*others, _special(name, tarfile.SYMTYPE, target)])


def _packed(members: Iterable[Member]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member in members:
            tar.addfile(*_opened(member))
    return gzip.compress(packed.getvalue(), compresslevel=6)


def _opened(member: Member) -> tuple[tarfile.TarInfo, io.BytesIO]:
    return member[0], io.BytesIO(member[1])


def _file(name: str, content: bytes = b"") -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def _special(name: str, kind: bytes, target: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    info.devmajor, info.devminor = 1, 3
    return info, b""


def parent(ref: str) -> bytes:
    return with_members(ref, [_file(f"../{ref}_escaped.txt", b"out")])


def inner_parent(ref: str) -> bytes:
    return with_members(ref, [_file(f"lib/../../{ref}_escaped.txt", b"out")])


def absolute(ref: str) -> bytes:
    return with_members(ref, [_file(f"/tmp/{ref}_escaped.txt", b"out")])


def symlink(ref: str) -> bytes:
    return with_members(ref, [_special("lib/secrets", tarfile.SYMTYPE, "/etc")])


def symlink_then_file(ref: str) -> bytes:
    through = _file(f"lib/{ref}_escaped.txt", b"out")
    return with_members(ref, [_special("lib", tarfile.SYMTYPE, "/tmp"), through])


def hardlink(ref: str) -> bytes:
    return with_members(ref, [_special("passwd", tarfile.LNKTYPE, "/etc/passwd")])


def device(ref: str) -> bytes:
    return with_members(ref, [_special("null", tarfile.CHRTYPE)])


def fifo(ref: str) -> bytes:
    return with_members(ref, [_special("pipe", tarfile.FIFOTYPE)])


def same_name_twice(ref: str) -> bytes:
    return with_members(ref, [_file("actions/run.py", b"print('the other')\n")])


def same_name_other_spelling(ref: str) -> bytes:
    return with_members(ref, [_file("./actions//run.py", b"print('the other')\n")])


def zip_bomb(ref: str) -> bytes:
    """200 MB of zeros in a fraction of a megabyte, no single file over the cap."""
    zeros = bytes(40_000_000)
    return with_members(ref, [_file(f"data/{n}.bin", zeros) for n in range(5)])


def one_large_file(ref: str) -> bytes:
    return with_members(ref, [_file("data/large.bin", bytes(60_000_000))])


def many_files(ref: str) -> bytes:
    return with_members(ref, (_file(f"data/{n}") for n in range(100_000)))


def lying_size(ref: str) -> bytes:
    """A header that promises more than the archive holds."""
    info = tarfile.TarInfo("data/short.bin")
    info.size = 1_000_000
    tar = gzip.decompress(with_members(ref, []))
    return gzip.compress(tar.rstrip(b"\0") + bytes(512) + info.tobuf() + b"few bytes")


def truncated(ref: str) -> bytes:
    whole = archive_files(pack_files(ref, run="print(1)\n"))
    return whole[: len(whole) // 2]


def not_gzip(ref: str) -> bytes:
    return gzip.decompress(archive_files(pack_files(ref, run="print(1)\n")))


def not_tar(ref: str) -> bytes:
    return gzip.compress(f"ref: {ref}\n".encode() * 100)


def empty(_ref: str) -> bytes:
    return b""


ALL = [
    parent,
    inner_parent,
    absolute,
    symlink,
    symlink_then_file,
    hardlink,
    device,
    fifo,
    same_name_twice,
    same_name_other_spelling,
    zip_bomb,
    one_large_file,
    many_files,
    lying_size,
    truncated,
    not_gzip,
    not_tar,
    empty,
]
