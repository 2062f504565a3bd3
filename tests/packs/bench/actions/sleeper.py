"""Say that it has begun, then sleep for ever."""

import time

print("begun", flush=True)
time.sleep(250)
