"""Not the entry of the request."""
