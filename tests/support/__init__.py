"""What the tests share: a server to talk to, a client, and packs to send it."""
