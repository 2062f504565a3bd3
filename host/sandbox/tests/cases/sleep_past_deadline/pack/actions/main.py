"""A guest that sleeps in a host call reaches no epoch check; the timer ends it."""

import time

print("begun")
time.sleep(60)
