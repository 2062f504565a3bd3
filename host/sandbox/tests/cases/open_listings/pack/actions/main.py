"""The host holds the entries of a listing while it is open, so there are only so many."""

import os

open("/tmp/entry", "w").close()
listings = []
try:
    for _ in range(1000):
        listing = os.scandir("/tmp")
        next(listing)
        listings.append(listing)
except OSError:
    pass
print(len(listings))
listings.pop().close()
listings.append(os.scandir("/tmp"))
print("reusable")
