"""Runs traces on CPython's concurrent.futures, on a ThreadPoolExecutor or a ProcessPoolExecutor, for cpython_subject.

Commands come on standard input, one per line; what is said to them goes to standard output. The text form of a trace is
described in spec_tests/trace.h, what a command must do in spec_tests/subject.h.

  begin N, then a trace in N lines   -> ready
  issue K                            says nothing; what is asked later sees its effect
  observe                            -> observation CALLS OUTCOMES STARTED BUSY REPLIES CALLBACKS
  finish PATIENCE_S                  -> finished, or: stuck WHAT
  history                            -> history N, then N lines, one event each:
      invoke CLIENT VERB CALL REGISTRATION WAIT CANCEL_FUTURES CALLS WHEN POLL
      return CLIENT REPLY
      start CALL
      end CALL REPLY
      callback CALL REGISTRATION CLIENT

In an event CALLS is a set, as a number with a bit for each call, and WHEN is all, first or exception; VERB is that of the
trace, or next (one step of as_completed), or abandon (a map is let go).
In an observation CALLS is one letter per call (a: absent, p, r, f, c), STARTED, BUSY and CALLBACKS are strings of 0 and 1,
OUTCOMES and REPLIES are lists with commas, each item a kind and a number, as in value:7. An empty field is written as -.

Threads: the main one reads commands and never touches the executor, but for looking at futures. Each client is a thread.
Whatever hangs, the main thread answers; at the end of its input the process is gone at once.

A hold mode stops threads at a place where the operating system could stop them as well, until `finish` or as it says, so
that a rare interleaving comes about every time:
  --hold-taken    a worker that has taken a call and not yet made its future running
  --hold-drained  a shutdown(cancel_futures=True) that has taken a call off the queue and not yet cancelled its future
  --hold-idle     the first worker, when it has found the queue empty and not yet said that it is idle, until a second one
                  has been started; and that one until the first has run one more call
  --hang          as --hold-taken, but for ever

With --processes the bodies run in the workers of a ProcessPoolExecutor. The workers are forks of this process, made while it
has one thread. Gates, the positions of bodies and the history are in memory that they share. A body does nothing there but
pass gates: it finds no executor. --processes-hold-closing is the same with a hold, of
                  the first shutdown, when it has seen that there is a queue to close, until another one has ended
"""

import concurrent.futures
import concurrent.futures.thread
import itertools
import logging
import mmap
import multiprocessing
import os
import queue
import re
import select
import signal
import struct
import sys
import threading
import time

WORKER = -1             # The client of what runs on a worker outside any body.
FIRST_BODY_CLIENT = 64  # The body of call k is client FIRST_BODY_CLIENT + k.

# Threads of one interpreter take turns. Shorter turns mean more interleavings, and cost little here.
TURN_S = 20e-6

# How long `observe` waits for a change: longer saves round trips, shorter finds out sooner that all is quiet.
OBSERVE_S = 1e-3
# How often it looks.
LOOK_S = 20e-6
# How long it waits for bodies and shutdowns to come to rest. Only a stuck executor needs more than moments.
REST_S = 1.0
# How long a body may stay in a shutdown that waits, once the intake is closed, before it counts as resting. It is either
# refused in moments, or waits for other workers first.
REST_IN_SHUTDOWN_S = 10e-3

# Where a body is: one of these, or the gate it waits at.
NOT_STARTED, ACTIVE, IN_WAITING_SHUTDOWN, ENDED = -4, -3, -2, -1

here = threading.local()  # .client: on whose behalf this thread is inside the executor. .in_shutdown.


def current_client():
    return getattr(here, "client", WORKER)


class TraceError(Exception):
    """What the body of a call throws: the test's exception number `number`."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


# ------------------------------------------------------------------------------------------------------------ the trace


class Statement:
    """One operation, or for as_completed and map a row of them: `verb`, and what it needs of the other fields."""

    def __init__(self, verb):
        self.verb = verb
        self.call = -1
        self.registration = -1
        self.gate = -1
        self.wait = False
        self.cancel_futures = False
        self.calls = []
        self.when = "all"
        self.poll = False
        self.body = None   # Of a submit.
        self.inputs = []   # Of a map: submits.
        self.taken = 0     # Of a map: how many results.
        self.is_expected = False  # Its unseen beginning counts until it is over.


class Body:
    def __init__(self, statements, throws, value):
        self.statements = statements
        self.throws = throws
        self.value = value


class Trace:
    """Reads the text form by recursive descent. It comes from to_text(), so that it is well-formed."""

    def __init__(self, lines):
        self.workers = 1
        self.clients = 1
        self.calls = 0
        self.registrations = 0
        self.gates = 0
        self.steps = []  # Pairs: client, statement.
        for line in lines:
            self._words = re.findall(r"[{};]|[^\s{};]+", line.split("#", 1)[0])
            self._words.reverse()
            if self._words:
                self._read_line()

    def _read_line(self):
        word = self._words.pop()
        if word == "workers":
            self.workers = int(self._words.pop())
        elif word == "clients":
            self.clients = int(self._words.pop())
        else:
            self.steps.append((int(word), self._read_statement()))

    def _read_statement(self):
        statement = Statement(self._words.pop())
        if statement.verb == "submit":
            statement.call = self._read_number("c")
            self.calls = max(self.calls, statement.call + 1)
            statement.body = self._read_body()
        elif statement.verb == "shutdown":
            statement.wait = self._words.pop() == "wait"
            statement.cancel_futures = bool(self._words) and self._words[-1] == "cancel"
            if statement.cancel_futures:
                self._words.pop()
        elif statement.verb in ("wait", "as_completed"):
            if statement.verb == "wait":
                statement.when = self._words.pop()
            statement.poll = bool(self._words) and self._words[-1] == "poll"
            if statement.poll:
                self._words.pop()
            while self._words:
                statement.calls.append(self._read_number("c"))
        elif statement.verb == "map":
            self._expect("{")
            while self._words[-1] != "take":
                statement.inputs.append(self._read_statement())
                self._expect(";")
            self._expect("take")
            statement.taken = int(self._words.pop())
            self._expect("}")
        elif statement.verb == "destroy":
            pass
        elif statement.verb in ("release", "gate"):
            statement.gate = self._read_number("g")
            self.gates = max(self.gates, statement.gate + 1)
        else:
            statement.call = self._read_number("c")
            if statement.verb == "callback":
                statement.registration = self.registrations
                self.registrations += 1
        return statement

    def _read_body(self):
        self._expect("{")
        statements = []
        while self._words[-1] not in ("return", "throw"):
            statements.append(self._read_statement())
            self._expect(";")
        throws = self._words.pop() == "throw"
        value = int(self._words.pop())
        self._expect("}")
        return Body(statements, throws, value)

    def _read_number(self, prefix):
        word = self._words.pop()
        if word[0] != prefix:
            raise ValueError("expected %s and a number, found %s" % (prefix, word))
        return int(word[1:])

    def _expect(self, expected):
        word = self._words.pop()
        if word != expected:
            raise ValueError("expected %s, found %s" % (expected, word))


# ---------------------------------------------------------------------------------------------------------- the episode


class Client(threading.Thread):
    """A thread of the program: performs one statement after the other."""

    def __init__(self, episode, number):
        super().__init__(daemon=True)
        self.number = number
        self.reply = "none:0"  # The last one.
        self.handed = 0        # How many statements, written by the main thread,
        self.last = None       # which one was the last,
        self.done = 0          # and how many are done, written by this thread.
        self._episode = episode
        self._statements = queue.SimpleQueue()
        self.start()

    def hand(self, statement):
        self.last = statement
        self.handed += 1
        self._statements.put(statement)

    def close(self):
        self._statements.put(None)

    def busy(self):
        return self.done != self.handed

    def may_be_in_shutdown(self):
        """Whether the client is in a shutdown or on its way into one."""
        return self.handed - self.done == 1 and self.last.verb in ("shutdown", "destroy")

    def run(self):
        here.client = self.number
        while True:
            statement = self._statements.get()
            if statement is None:
                return
            self._episode.perform(statement)
            self.done += 1


# What does something before it blocks that nobody can see.
UNSEEN = ("wait", "as_completed", "map")


class Episode:
    """One trace on one executor.

    The history is a list. Appending to it is atomic, so its order is consistent with real time.
    """

    def __init__(self, trace, hold):
        self.trace = trace
        self.history = self._make_history()
        self._hold = hold
        self._hold.clear()
        self._futures = [None] * trace.calls
        self._published = [threading.Event() for _ in range(trace.calls)]
        self._at = self._make_positions()
        self._registered = [None] * trace.registrations  # The futures, once a callback is added to them.
        self._callbacks_ran = [False] * trace.registrations
        self._gates = [self._make_gate() for _ in range(trace.gates)]
        self._shutdowns = []  # Those that bodies are in.
        self._lock = threading.Lock()
        self._users = 0       # How many are in the executor, under the lock.
        self._destroyed = False
        self._beginnings = 0  # Statements that were handed out and have not begun unseen what they do, under the lock.
        self._shown = None
        self._executor = self._make_executor()
        self._accepted = []  # The futures of all calls, those of maps too.
        self._executor.submit = self._noting(self._executor.submit)
        self._clients = [Client(self, number) for number in range(trace.clients)]

    # What the bodies share with the rest, as threads do.

    def _make_executor(self):
        return make_executor(max_workers=self.trace.workers)

    def _make_history(self):
        return []

    def _make_positions(self):
        return [NOT_STARTED] * self.trace.calls

    def _make_gate(self):
        return threading.Event()

    def _callable_of(self, submit):
        """What to submit, and its arguments."""
        return self._run_body, submit.call, submit.body

    def _map_over(self, submits):
        return self._executor.map(lambda submit: self._run_body(submit.call, submit.body), submits)

    # The main thread's.

    def issue(self, step):
        number, statement = self.trace.steps[step]
        if statement.verb == "release":
            self._gates[statement.gate].set()
        else:
            # Behind an earlier statement it begins whenever that ends: nobody can wait for it.
            if statement.verb in UNSEEN and not self._clients[number].busy():
                statement.is_expected = True
                with self._lock:
                    self._beginnings += 1
            self._clients[number].hand(statement)

    def observe(self):
        """What can be seen, once nothing that cannot be seen is about to happen.

        Waits a little for it to be something else than last time.
        """
        self._wait_for_rest()
        deadline = time.monotonic() + OBSERVE_S
        before, seen = self._shown, self._look()
        # A change goes on: that it has come to a stop saves the caller a round trip.
        while (seen == self._shown or seen != before) and time.monotonic() < deadline:
            time.sleep(LOOK_S)
            before, seen = seen, self._look()
        self._shown = seen
        return seen

    def finish(self, patience_s):
        """The epilogue. Returns what is stuck, or nothing."""
        deadline = time.monotonic() + patience_s
        self._hold.set()
        for gate in self._gates:
            gate.set()
        for client in self._clients:
            if not self._wait_until_idle(client, deadline):
                return "client %d does not come back from an operation" % client.number
        # What bodies still submit is accepted: the shutdown comes when all is quiet.
        while not (self._rests(True) and self._all_done()):
            if time.monotonic() > deadline:
                return "a call does not come to its end"
            time.sleep(LOOK_S)
        if not self._destroyed:
            last = Statement("shutdown")
            last.wait = True
            # By one more client than the trace has.
            self._clients.append(Client(self, self.trace.clients))
            self._clients[-1].hand(last)
            if not self._wait_until_idle(self._clients[-1], deadline):
                return "the shutdown at the end of the trace does not come back"
        for client in self._clients:
            client.close()
        for client in self._clients:
            client.join()
        self._let_go_of_executor()
        return None

    def _let_go_of_executor(self):
        self._executor = None

    def _noting(self, submit):
        """The executor's submit; it notes what it returns."""

        def submit_and_note(*args):
            future = submit(*args)
            self._accepted.append(future)
            return future

        return submit_and_note

    def _all_done(self):
        seen = len(self.history)
        # Twice, since the last one done may have submitted another.
        return all(f.done() for f in self._accepted[:]) and self._rests(True) and seen == len(self.history)

    @staticmethod
    def _wait_until_idle(client, deadline):
        pause_s = LOOK_S
        while client.busy():
            if time.monotonic() > deadline:
                return False
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 1e-3)
        return True

    def _wait_for_rest(self):
        deadline = time.monotonic() + REST_S
        deadline_in_shutdown = time.monotonic() + REST_IN_SHUTDOWN_S
        while not self._rests(time.monotonic() > deadline_in_shutdown):
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK_S)

    def _rests(self, shutdowns_may_wait):
        """Whether no body is between two gates or about to begin, no callback is due, and no shutdown has yet to close the
        intake or to cancel.

        Either would make two situations look alike that are not.
        """
        if self._beginnings > 0:
            return False
        # A call that a map has let go of is cancelled or about to begin: no future of it is looked at.
        if not self._calls_rest() or self._is_a_callback_due():
            return False
        shutdowns = self._shutdowns + [client.last for client in self._clients if client.may_be_in_shutdown()]
        if not self._shutdowns_rest(shutdowns, shutdowns_may_wait):
            return False
        for at in self._at:
            if at == ACTIVE or (at == IN_WAITING_SHUTDOWN and not shutdowns_may_wait):
                return False
            if at >= 0 and self._gates[at].is_set():
                return False
        return True

    def _calls_rest(self):
        """Whether every call that has been taken has begun."""
        claimed = sum(1 for future in self._accepted[:] if future.running() or (future.done() and not future.cancelled()))
        return claimed <= sum(1 for at in self._at if at != NOT_STARTED)

    def _is_a_callback_due(self):
        """A future is done before its callbacks have run."""
        return any(future is not None and future.done() and not ran
                   for future, ran in zip(self._registered[:], self._callbacks_ran[:]))

    def _shutdowns_rest(self, shutdowns, may_wait):
        """Whether these, which are under way, have closed the intake and cancelled what they cancel."""
        if shutdowns and not self._executor._shutdown:
            return False
        if any(shutdown.cancel_futures for shutdown in shutdowns) and not self._hold.reached_in_shutdown:
            if mode_of_process() == "--hold-drained" or self._executor._shutdown_lock.locked():
                return False
        return True

    def _look(self):
        """Looks twice until nothing has changed in between: then all of it was true at one moment."""
        before = None
        clients = self._clients[: self.trace.clients]  # Not the one of the epilogue.
        while True:
            after = (
                [client.done for client in clients],
                [client.busy() for client in clients],
                [client.reply for client in clients],
                [at != NOT_STARTED for at in self._at],
                [self._visible(future) for future in self._futures],
                list(self._callbacks_ran),
            )
            if before == after:
                return after
            before = after

    @staticmethod
    def _visible(future):
        if future is None:
            return "a", "none:0"
        if future.cancelled():
            return "c", "none:0"
        if future.done():
            return "f", reply_of(future.result, 0)
        return ("r" if future.running() else "p"), "none:0"

    # Any thread's.

    def perform(self, statement):
        """Does the statement on behalf of the current client, if it makes sense."""
        if statement.verb in ("submit", "shutdown", "map"):
            with self._lock:
                if self._destroyed:
                    self._end_beginning(statement)
                    return
                self._users += 1
            if statement.verb == "map":
                self._map(statement)  # Leaves the executor before it waits for results.
                return
            self._operate(statement)
            with self._lock:
                self._users -= 1
        elif statement.verb == "destroy":
            with self._lock:
                if self._destroyed or self._users > 0:
                    return
                self._destroyed = True
            self._operate(statement)
        elif statement.verb in ("wait", "as_completed"):
            calls = [call for call in statement.calls if self._futures[call] is not None]
            with self._lock:
                self._end_beginning(statement)
            if statement.verb == "wait":
                self._wait(statement, calls)
            else:
                self._go_through_completed(statement, calls)
        elif self._futures[statement.call] is not None:
            self._operate(statement)

    def _end_beginning(self, statement):
        """With the lock held."""
        if statement.is_expected:
            statement.is_expected = False
            self._beginnings -= 1

    def _invoke(self, verb, statement, calls=()):
        fields = (verb, statement.call, statement.registration, statement.wait, statement.cancel_futures, set_of(calls))
        self.history.append("invoke %d %s %d %d %d %d %d %s %d"
                            % (current_client(), *fields, statement.when, statement.poll))

    def _reply(self, reply):
        number = current_client()
        self.history.append("return %d %s" % (number, reply))
        if 0 <= number < self.trace.clients:
            self._clients[number].reply = reply

    def _operate(self, statement):
        """One operation."""
        self._invoke(statement.verb, statement)
        future = None
        try:
            if statement.verb == "submit":
                future, reply = self._submit(statement)
            elif statement.verb == "shutdown":
                reply = self._shutdown(statement)
            elif statement.verb == "destroy":
                self._executor.__exit__(None, None, None)
                reply = "ok:0"
            else:
                reply = self._ask(statement, self._futures[statement.call])
        except Exception:
            reply = "none:0"  # An error that no law allows here. No history of the model has it.
        self._reply(reply)
        if future is not None:
            self._futures[statement.call] = future
            self._published[statement.call].set()

    def _wait(self, statement, calls):
        self._invoke("wait", statement, calls)
        when = {"all": "ALL_COMPLETED", "first": "FIRST_COMPLETED", "exception": "FIRST_EXCEPTION"}[statement.when]
        futures = [self._futures[call] for call in calls]
        try:
            done, not_done = concurrent.futures.wait(futures, timeout=0 if statement.poll else None, return_when=when)
            is_partition = not done & not_done and done | not_done == set(futures)
            told = set_of(call for call in calls if self._futures[call] in done)
            self._reply("done:%d" % signed(told) if is_partition else "none:0")
        except Exception:
            self._reply("none:0")

    def _go_through_completed(self, statement, calls):
        futures = {self._futures[call]: call for call in calls}
        completed = concurrent.futures.as_completed(list(futures), timeout=0 if statement.poll else None)
        while futures:
            self._invoke("next", statement, futures.values())
            try:
                call = futures.pop(next(completed), None)
                reply = "none:0" if call is None else "done:%d" % call
            except concurrent.futures.TimeoutError:
                reply = "timeout:0"
            except BaseException:
                reply = "none:0"
            self._reply(reply)
            if not reply.startswith("done"):
                return

    def _map(self, statement):
        """Records itself as a submit for each input, a result for each item that is taken, and that the rest is let go."""
        inputs = statement.inputs

        def pull():
            for number, submit in enumerate(inputs):
                if number > 0:
                    self._reply("ok:0")
                    self._invoke("submit", submit)
                self._published[submit.call].set()
                yield submit
            self._reply("ok:0")

        self._invoke("submit", inputs[0])
        results = None
        try:
            results = self._map_over(pull())
        except RuntimeError as error:
            refused = str(error) == "cannot schedule new futures after shutdown"
            self._reply("shutdown_error:0" if refused else "none:0")
        except Exception:
            self._reply("none:0")
        with self._lock:
            self._end_beginning(statement)
            self._users -= 1
        if results is None:
            return
        for number in range(statement.taken):
            self._invoke("result", inputs[number], [submit.call for submit in inputs[number + 1:]])
            reply = reply_of(lambda _: next(results), None)
            self._reply(reply)
            if not reply.startswith("value"):
                return
        # A generator that was never advanced lets go of nothing.
        if statement.taken in (0, len(inputs)):
            return
        self._invoke("abandon", Statement("abandon"), [submit.call for submit in inputs[statement.taken:]])
        results.close()
        self._reply("ok:0")

    def _submit(self, statement):
        try:
            return self._executor.submit(*self._callable_of(statement)), "ok:0"
        except RuntimeError as error:
            if str(error) != "cannot schedule new futures after shutdown":
                raise
            return None, "shutdown_error:0"

    def _shutdown(self, statement):
        call = current_client() - FIRST_BODY_CLIENT  # The body's that this is, if it is one.
        here.in_shutdown = True
        if call >= 0:
            self._shutdowns.append(statement)
            self._at[call] = IN_WAITING_SHUTDOWN if statement.wait else ACTIVE
        try:
            self._executor.shutdown(wait=statement.wait, cancel_futures=statement.cancel_futures)
            return "ok:0"
        except RuntimeError as error:
            if str(error).lower() != "cannot join current thread":
                raise
            return "deadlock_error:0"
        finally:
            if call >= 0:
                self._at[call] = ACTIVE
                self._shutdowns.remove(statement)
            here.in_shutdown = False

    def _ask(self, statement, future):
        if statement.verb == "cancel":
            return "true:0" if future.cancel() else "false:0"
        if statement.verb == "callback":
            call, registration = statement.call, statement.registration
            self._registered[registration] = future
            future.add_done_callback(lambda _: self._run_callback(call, registration))
            return "ok:0"
        return reply_of(future.result, 0 if statement.verb == "poll" else None)

    def _run_callback(self, call, registration):
        self.history.append("callback %d %d %d" % (call, registration, current_client()))
        self._callbacks_ran[registration] = True

    def _run_body(self, call, body):
        self._at[call] = ACTIVE
        self.history.append("start %d" % call)
        here.client = FIRST_BODY_CLIENT + call
        self._published[call].wait()  # So that a body can name its own call, however fast it is.
        for statement in body.statements:
            if statement.verb == "gate":
                self._at[call] = statement.gate
                self._gates[statement.gate].wait()
                self._at[call] = ACTIVE
            else:
                self.perform(statement)
        here.client = WORKER  # From here on callbacks are the worker's.
        self.history.append("end %d %s:%d" % (call, "error" if body.throws else "value", body.value))
        self._at[call] = ENDED
        if body.throws:
            raise TraceError(body.value)
        return body.value


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


PROCESS_MODES = ("--processes", "--processes-hold-closing")


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
        return busy >= min(self.trace.workers, sum(1 for future in futures if not future.done()))

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


def set_of(calls):
    """As a number, a bit for each call."""
    return sum(1 << call for call in calls)


def signed(number):
    """The number whose sixteen bits these are."""
    return number - 0x10000 if number >= 0x8000 else number


def reply_of(result, timeout):
    """Calls result(timeout)."""
    try:
        return "value:%d" % result(timeout)
    except TraceError as error:
        return "error:%d" % error.number
    except concurrent.futures.CancelledError:
        return "cancelled:0"
    except concurrent.futures.TimeoutError:
        return "timeout:0"


# ---------------------------------------------------------------------------------------------------------- the process


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


class Hold(threading.Event):
    """What threads are held by until it is set."""

    def __init__(self):
        super().__init__()
        self.reached_in_shutdown = False

    def clear(self):
        super().clear()
        self.reached_in_shutdown = False

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


def text_of(seen):
    _, busy, replies, started, calls, callbacks_ran = seen
    fields = (
        "".join(visible for visible, _ in calls),
        ",".join(outcome for _, outcome in calls),
        bits_of(started),
        bits_of(busy),
        ",".join(replies),
        bits_of(callbacks_ran),
    )
    return "observation " + " ".join(field or "-" for field in fields)


def bits_of(flags):
    return "".join("1" if flag else "0" for flag in flags)


def say(*lines):
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def obey(words, episode, hold):
    """Does one command. Returns the episode that goes on."""
    command = words[0]
    if command == "begin":
        trace = Trace([sys.stdin.readline() for _ in range(int(words[1]))])
        if mode_of_process() in PROCESS_MODES:
            error = share_memory()
            if error is not None:
                say("unavailable: this python3 has no multiprocessing: %s" % error)
                return None
            episode = ProcessEpisode(trace, hold)
        else:
            episode = Episode(trace, hold)
        say("ready")
    elif command == "issue":
        episode.issue(int(words[1]))
    elif command == "observe":
        say(text_of(episode.observe()))
    elif command == "finish":
        stuck = episode.finish(float(words[1]))
        say("finished" if stuck is None else "stuck " + stuck)
    elif command == "history":
        events = list(episode.history)
        say("history %d" % len(events), *events)
    else:
        raise ValueError("unknown command " + command)
    return episode


def main():
    sys.setswitchinterval(TURN_S)
    # What a callback throws is logged there; it belongs to the trace, not on the terminal.
    logger = logging.getLogger("concurrent.futures")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    hold = install_hold()
    episode = None
    for line in iter(sys.stdin.readline, ""):
        episode = obey(line.split(), episode, hold)


if __name__ == "__main__":
    # Stuck threads of an executor would keep the interpreter from ending by itself, and stuck workers would outlive it: they
    # are in its process group.
    status = 0
    try:
        main()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        status = 1
    if shared is not None:
        os.killpg(0, signal.SIGKILL)
    os._exit(status)
