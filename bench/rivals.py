"""The same rows on CPython's ProcessPoolExecutor and multiprocessing.Pool. Prints lines "rival,row,value"."""

import concurrent.futures
import multiprocessing
import os
import signal
import time


def identity(x):
    return x


def median_of(times, run):
    values = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        values.append(time.perf_counter() - start)
    return sorted(values)[len(values) // 2]


def report(rival, row, value):
    print(f"{rival},{row},{value:.6g}", flush=True)


def measure_executor(context):
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        call = lambda: executor.submit(identity, 1).result()
        for _ in range(50):
            call()
        report("cpython", "P1 busy", median_of(1000, call) * 1e6)
        calls = 5000
        run = lambda: concurrent.futures.wait([executor.submit(identity, i) for i in range(calls)])
        report("cpython", "P2 submit", median_of(3, run) / calls * 1e6)
        items = 200000
        run = lambda: sum(executor.map(identity, range(items), chunksize=1000))
        report("cpython", "P2 map", median_of(3, run) / items * 1e6)
        for name, size, times in (("1MiB", 1 << 20, 20), ("64MiB", 64 << 20, 3)):
            payload = bytes(size)
            report("cpython", f"P3 argument {name}", median_of(times, lambda: executor.submit(len, payload).result()) * 1e3)
            report("cpython", f"P3 result {name}", median_of(times, lambda: executor.submit(bytes, size).result()) * 1e3)


def measure_lives(context):
    for workers in (2, 8):
        values = []
        for _ in range(5):
            executor = concurrent.futures.ProcessPoolExecutor(workers, mp_context=context)
            start = time.perf_counter()
            concurrent.futures.wait([executor.submit(time.sleep, 0.0001) for _ in range(workers)])
            values.append(time.perf_counter() - start)
            executor.shutdown()
        report("cpython", f"P4 start {workers}", sorted(values)[2] * 1e3)
    values = []
    for _ in range(5):
        executor = concurrent.futures.ProcessPoolExecutor(1, mp_context=context)
        pid = executor.submit(os.getpid).result()
        running = executor.submit(time.sleep, 30)
        time.sleep(0.02)
        start = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        concurrent.futures.wait([running])
        values.append(time.perf_counter() - start)
        executor.shutdown()
    report("cpython", "P5 kill to error", sorted(values)[2] * 1e3)


def measure_pool(context):
    with context.Pool(2) as pool:
        call = lambda: pool.apply(identity, (1,))
        for _ in range(50):
            call()
        report("mp.Pool", "P1 busy", median_of(1000, call) * 1e6)
        calls = 5000
        run = lambda: [r.get() for r in [pool.apply_async(identity, (i,)) for i in range(calls)]]
        report("mp.Pool", "P2 submit", median_of(3, run) / calls * 1e6)
        items = 200000
        run = lambda: sum(pool.map(identity, range(items), chunksize=1000))
        report("mp.Pool", "P2 map", median_of(3, run) / items * 1e6)
        for name, size, times in (("1MiB", 1 << 20, 20), ("64MiB", 64 << 20, 3)):
            payload = bytes(size)
            report("mp.Pool", f"P3 argument {name}", median_of(times, lambda: pool.apply(len, (payload,))) * 1e3)
            report("mp.Pool", f"P3 result {name}", median_of(times, lambda: pool.apply(bytes, (size,))) * 1e3)


if __name__ == "__main__":
    fork = multiprocessing.get_context("fork")
    measure_executor(fork)
    measure_lives(fork)
    measure_pool(fork)
