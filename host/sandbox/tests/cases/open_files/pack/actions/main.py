"""Ten thousand open files end at the limit, with an error that can be caught."""

files = []
try:
    for _ in range(10_000):
        files.append(open("/pack/actions/main.py", "rb"))
except OSError:
    pass
print(len(files))
files.pop().close()
open("/pack/actions/main.py").close()
print("reusable")
