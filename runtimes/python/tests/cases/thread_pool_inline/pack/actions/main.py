"""A thread pool works, one call after the other."""

from concurrent.futures import ThreadPoolExecutor, as_completed

with ThreadPoolExecutor(max_workers=4) as pool:
    print(list(pool.map(str.upper, ["a", "b"])))
    futures = [pool.submit(divmod, 7, divisor) for divisor in (2, 0)]
    print(sorted(type(future.exception()).__name__ for future in as_completed(futures)))
