"""Work on many rows by several threads: results come in order, and only a few are ever waiting."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def in_order(
    work: Callable[[range], T], count: int, together: int, threads: int | None = None
) -> Iterator[tuple[range, T]]:
    """Call `work` on consecutive ranges of rows and yield (range, result) in their order.

    At most two ranges a thread are under way, so memory doesn't grow with the number of rows.

    Args:
        work: Called from several threads.
        count: The number of rows.
        together: Rows a call: many where a row is little work, since a call itself costs some 50 microseconds.
        threads: As many as there are cores, if not given.
    """
    threads = threads or os.cpu_count() or 1
    pool = ThreadPoolExecutor(threads)
    waiting: deque[tuple[range, Future[T]]] = deque()
    try:
        for start in range(0, count, together):
            rows = range(start, min(start + together, count))
            waiting.append((rows, pool.submit(work, rows)))
            if len(waiting) >= 2 * threads:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
    finally:
        pool.shutdown(cancel_futures=True)
