"""The modes of the process: its argument names one. Without, bodies run on the threads of a ThreadPoolExecutor, and nothing
is held.

  --processes     the bodies run in the workers of a ProcessPoolExecutor, as processes.py describes

A hold mode stops threads at a place where the operating system could stop them as well, until `finish` or as it says, so
that a rare interleaving comes about every time:
  --hold-taken    a worker that has taken a call and not yet made its future running
  --hold-drained  a shutdown(cancel_futures=True) that has taken a call off the queue and not yet cancelled its future
  --hold-idle     the first worker, when it has found the queue empty and not yet said that it is idle, until a second one
                  has been started; and that one until the first has run one more call
  --hang          as --hold-taken, but for ever
  --processes-hold-closing
                  as --processes; the first shutdown, when it has seen that there is a queue to close, until another one
                  has ended
"""

import concurrent.futures
import concurrent.futures.thread
import itertools
import sys
import threading

from clients import here

PROCESS_MODES = ("--processes", "--processes-hold-closing")


def mode_of_process():
    return sys.argv[1] if len(sys.argv) > 1 else None


def make_executor(max_workers):
    if mode_of_process() == "--hold-idle":
        return ExecutorHeldIdle(max_workers)
    return concurrent.futures.ThreadPoolExecutor(max_workers)


class ExecutorHeldIdle(concurrent.futures.ThreadPoolExecutor):
    """See --hold-idle."""

    class Semaphore(threading.Semaphore):
        def __init__(self):
            super().__init__(0)
            self.releases = itertools.count(1)
            self.second_worker_started = threading.Event()
            self.first_worker_idle_again = threading.Event()

        def release(self, *args):
            number = next(self.releases)
            if number == 1:
                self.second_worker_started.wait()
            super().release(*args)
            if number == 2:
                self.first_worker_idle_again.set()

    def __init__(self, max_workers):
        super().__init__(max_workers, initializer=self._begin_worker)
        self._idle_semaphore = self.Semaphore()
        self._starts = itertools.count(1)

    def _begin_worker(self):
        if next(self._starts) == 2:
            self._idle_semaphore.second_worker_started.set()
            self._idle_semaphore.first_worker_idle_again.wait()


class ExecutorHeldClosing(concurrent.futures.ProcessPoolExecutor):
    """See --processes-hold-closing."""

    _forgotten = threading.Event()

    @property
    def _result_queue(self):
        queue_seen = self.__dict__["queue"]
        if queue_seen is not None and getattr(here, "in_shutdown", False) and not self.__dict__.get("holds"):
            self.__dict__["holds"] = True
            self._forgotten.wait()
        return queue_seen

    @_result_queue.setter
    def _result_queue(self, queue_made):
        self.__dict__["queue"] = queue_made
        (self._forgotten.set if queue_made is None else self._forgotten.clear)()


class Hold(threading.Event):
    """What threads are held by until it is set."""

    def __init__(self):
        super().__init__()
        self.reached_in_shutdown = False
        self.reached_by_worker = False

    def clear(self):
        super().clear()
        self.reached_in_shutdown = False
        self.reached_by_worker = False

    def stop_in_shutdown(self):
        self.reached_in_shutdown = True
        self.wait()


def install_hold():
    """Changes the executor as the mode says; returns what lets go."""
    hold = Hold()
    never = threading.Event()
    mode = mode_of_process()
    if mode in ("--hold-taken", "--hang"):
        run = concurrent.futures.thread._WorkItem.run

        def run_held(*args):
            hold.reached_by_worker = True
            (hold if mode == "--hold-taken" else never).wait()
            return run(*args)

        concurrent.futures.thread._WorkItem.run = run_held
    elif mode == "--hold-drained":
        cancel = concurrent.futures.Future.cancel

        def cancel_held(future):
            if getattr(here, "in_shutdown", False):
                hold.stop_in_shutdown()
            return cancel(future)

        concurrent.futures.Future.cancel = cancel_held
    elif mode not in (None, "--hold-idle", *PROCESS_MODES):
        sys.exit("unknown mode " + mode)
    return hold
