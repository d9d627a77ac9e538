"""Traces on a ProcessPoolExecutor, for --processes.

The bodies run in its workers. The workers are forks of this process, made while it has one thread. Gates, the positions of
bodies and the history are in memory that they share. A body does nothing there but pass gates: it finds no executor.
"""

import concurrent.futures
import mmap
import multiprocessing
import os
import select
import signal
import struct
import sys

from episode import ACTIVE, ENDED, NOT_STARTED, Episode, TraceError
from modes import ExecutorHeldClosing, mode_of_process


class SharedMemory:
    """What the bodies of one episode share with this process, made before the workers are forked. Lives with the process."""

    EVENTS_MAX = 1024  # The longest trace makes fewer than five hundred.
    EVENT_BYTES = 96
    CALLS_MAX = 64

    def __init__(self):
        self._bytes = mmap.mmap(-1, 8 + self.CALLS_MAX + self.EVENTS_MAX * self.EVENT_BYTES)
        self._lock = multiprocessing.get_context("fork").Lock()
        self.positions = memoryview(self._bytes)[8:8 + self.CALLS_MAX].cast("b")
        self.bodies = []   # By call.
        self.gates = []

    def clear(self, trace):
        self._bytes[:8] = bytes(8)
        self.bodies = [None] * trace.calls
        for _, statement in trace.steps:
            for submit in statement.inputs if statement.verb == "map" else [statement]:
                if submit.verb == "submit":
                    self.bodies[submit.call] = submit.body
        for gate in self.gates:
            gate.close()
        self.gates = []
        for call in range(trace.calls):
            self.positions[call] = NOT_STARTED

    # The history. In one order for all processes: that of the lock.

    def append(self, event):
        with self._lock:
            size = len(self)
            at = 8 + self.CALLS_MAX + size * self.EVENT_BYTES
            if size < self.EVENTS_MAX:
                self._bytes[at:at + self.EVENT_BYTES] = event.encode().ljust(self.EVENT_BYTES, b"\0")
                self._bytes[:8] = struct.pack("q", size + 1)

    def __len__(self):
        return struct.unpack("q", self._bytes[:8])[0]

    def __iter__(self):
        for number in range(len(self)):
            at = 8 + self.CALLS_MAX + number * self.EVENT_BYTES
            yield self._bytes[at:at + self.EVENT_BYTES].rstrip(b"\0").decode()


class SharedGate:
    """As a threading.Event, between processes: a pipe that has something to read for ever once the gate is open."""

    def __init__(self):
        self._reading, self._writing = os.pipe()

    def set(self):
        if not self.is_set():
            os.write(self._writing, b"x")

    def is_set(self):
        return bool(select.select([self._reading], [], [], 0)[0])

    def wait(self):
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        poll.poll()

    def close(self):
        os.close(self._reading)
        os.close(self._writing)


shared = None  # With --processes.


def share_memory():
    """Returns why that is not possible, or nothing."""
    global shared
    try:
        if shared is None:
            shared = SharedMemory()
        return None
    except (ImportError, NotImplementedError, OSError, ValueError) as error:
        return error


def run_in_worker(call):
    """The body of a call. All that it needs was there when the worker was forked."""
    shared.positions[call] = ACTIVE
    shared.append("start %d" % call)
    body = shared.bodies[call]
    for statement in body.statements:
        if statement.verb == "gate":
            shared.positions[call] = statement.gate
            shared.gates[statement.gate].wait()
            shared.positions[call] = ACTIVE
    shared.append("end %d %s:%d" % (call, "error" if body.throws else "value", body.value))
    shared.positions[call] = ENDED
    if body.throws:
        raise TraceError(body.value)
    return body.value


def begin_worker():
    """Runs first in each worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class ProcessEpisode(Episode):
    """One trace on a ProcessPoolExecutor."""

    def __init__(self, trace, hold):
        shared.clear(trace)
        super().__init__(trace, hold)

    def _make_executor(self):
        held = mode_of_process() == "--processes-hold-closing"
        executor = (ExecutorHeldClosing if held else concurrent.futures.ProcessPoolExecutor)(
            self.trace.workers, mp_context=multiprocessing.get_context("fork"), initializer=begin_worker)
        # Where workers are forks, all of them start with the first submit. Here that is before there are other threads.
        executor._start_executor_manager_thread()
        self._manager = executor._executor_manager_thread
        self._news_for_manager = executor._executor_manager_thread_wakeup._reader
        return executor

    def _make_history(self):
        return shared

    def _make_positions(self):
        return shared.positions[:self.trace.calls]

    def _make_gate(self):
        shared.gates.append(SharedGate())
        return shared.gates[-1]

    def _callable_of(self, submit):
        return run_in_worker, submit.call

    def _map_over(self, submits):
        return self._executor.map(run_in_worker, (submit.call for submit in submits))

    def _calls_rest(self):
        """Whether every result has arrived, no worker idles beside a call, and the pool has no news to look at."""
        futures = self._accepted[:]
        ended = sum(1 for at in self._at if at == ENDED)
        if ended > sum(1 for future in futures if future.done() and not future.cancelled()):
            return False
        busy = sum(1 for at in self._at if at not in (NOT_STARTED, ENDED))
        return (busy >= min(self.trace.workers, sum(1 for future in futures if not future.done()))
                and self._manager_rests())

    def _manager_rests(self):
        """Whether the pool's own thread has done what it was last woken for, or has ended.

        It takes a wake-up away first, does what it is for, and waits again. So they are asked in this order.
        """
        if not self._manager.is_alive():
            return True
        try:
            if self._news_for_manager.poll():
                return False
        except OSError:  # Closed: it is about to end.
            return True
        callers = []
        frame = sys._current_frames().get(self._manager.ident)
        while frame is not None and len(callers) < 3:
            callers.append(frame.f_code.co_name)
            frame = frame.f_back
        return callers == ["select", "wait", "wait_result_broken_or_wakeup"]

    def _shutdowns_rest(self, shutdowns, may_wait):
        if shutdowns and not self._executor._shutdown_thread:
            return False
        # It is the pool's own thread that cancels: at once, if the shutdown was the first, or else some time. When it has
        # ended nothing is left to cancel.
        return may_wait or not self._manager.is_alive() or not self._executor._cancel_pending_futures

    def _let_go_of_executor(self):
        # After a shutdown without wait no later one waits for it. The next workers are to be forked by a process with one
        # thread.
        self._manager.join()
        super()._let_go_of_executor()
