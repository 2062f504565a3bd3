"""Well-packed packs whose YAML is hostile or careless."""

from support.packs import archive_files, pack_files


def _pack(ref: str, **changes: str | None) -> bytes:
    files = pack_files(ref, run="print(1)\n")
    for key, text in changes.items():
        name = {"pack": "pack.yaml", "action": "actions/run.yaml", "script": "actions/run.py"}[key]
        if text is None:
            del files[name]
        else:
            files[name] = text.encode()
    return archive_files(files)


def no_pack_yaml(ref: str) -> bytes:
    return _pack(ref, pack=None)


def bad_yaml(ref: str) -> bytes:
    return _pack(ref, pack=f"ref: {ref}\n  label: [unclosed\n")


def yaml_of_wrong_shape(ref: str) -> bytes:
    return _pack(ref, pack=f"- {ref}\n")


def yaml_bomb(ref: str) -> bytes:
    """Nine levels of aliases, a billion nodes when they are followed."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return _pack(ref, pack=f"ref: {ref}\nversion: 1.0.0\nmeta:\n  " + "\n  ".join(levels) + "\n")


def deep_yaml(ref: str) -> bytes:
    nested = "[" * 20_000 + "]" * 20_000
    return _pack(ref, pack=f"ref: {ref}\nversion: 1.0.0\nmeta: {nested}\n")


def no_ref(_ref: str) -> bytes:
    return _pack("unused", pack="label: nameless\nversion: 1.0.0\n")


def ref_with_a_path(ref: str) -> bytes:
    return _pack(ref, pack=f"ref: ../{ref}\nversion: 1.0.0\n")


def bad_action_yaml(ref: str) -> bytes:
    return _pack(ref, action="ref: [\n")


def action_of_another_pack(ref: str) -> bytes:
    action = "ref: core.echo\nrunner_type: python\nentry_point: run.py\n"
    return _pack(ref, action=action)


def action_without_its_file(ref: str) -> bytes:
    return _pack(ref, script=None)


def entry_point_outside(ref: str) -> bytes:
    action = f"ref: {ref}.run\nrunner_type: python\nentry_point: ../../../etc/passwd\n"
    return _pack(ref, action=action)


ALL = [
    no_pack_yaml,
    bad_yaml,
    yaml_of_wrong_shape,
    yaml_bomb,
    deep_yaml,
    no_ref,
    ref_with_a_path,
    bad_action_yaml,
    action_of_another_pack,
    action_without_its_file,
    entry_point_outside,
]
