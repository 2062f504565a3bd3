"""Exit handlers run, files left open are written, last words are heard."""

import atexit
import logging
import weakref


class Object:
    def __del__(self):
        print("deleted", open("/tmp/left_open").read())


atexit.register(print, "registered first, runs last")
atexit.register(lambda: print("exit handler"))
thing = Object()
weakref.finalize(thing, print, "finalizer")
left_open = open("/tmp/left_open", "w")
left_open.write("written")
logging.getLogger("main").warning("logged")
raise ValueError("the end")
