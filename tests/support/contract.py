"""Keys that must always be present (contract, models section 2)."""

PACK = frozenset(
    "conf_schema config created dependencies id is_standard label meta ref runtime_deps tags "
    "updated version".split()
)
PACK_SUMMARY = frozenset("created id is_standard label ref tags updated version".split())
ACTION = frozenset(
    "accesses_mcp created entrypoint id is_adhoc label out_schema pack pack_ref param_schema ref "
    "updated".split()
)
KEY = frozenset("created encrypted id name owner_type ref updated value".split())
EXECUTION = frozenset("action_ref config created id result status updated".split())
EXECUTION_SUMMARY = frozenset("action_ref created id status updated".split())
