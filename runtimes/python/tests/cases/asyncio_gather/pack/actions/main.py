"""Tasks run at the same time; timeouts, queues and to_thread work."""

import asyncio
import time


async def work(number):
    await asyncio.sleep(0.05)
    return number * 2


async def main():
    started = time.monotonic()
    print(await asyncio.gather(*(work(number) for number in range(10))))
    print("at the same time:", time.monotonic() - started < 0.4)
    try:
        await asyncio.wait_for(asyncio.sleep(5), 0.01)
    except TimeoutError:
        print("wait_for timed out")
    try:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    except TimeoutError:
        print("timeout timed out")
    queue = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        group.create_task(queue.put("queued"))
        print(await queue.get(), await asyncio.to_thread(sum, [1, 2, 3]))


asyncio.run(main())
