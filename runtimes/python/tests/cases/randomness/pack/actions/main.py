"""Every instance draws numbers of its own, although all start from one snapshot."""

import random
import secrets
import tempfile
import uuid

print(random.random(), random.Random().random(), secrets.token_hex(4))
print(uuid.uuid4(), uuid.getnode(), next(tempfile._get_candidate_names()))
