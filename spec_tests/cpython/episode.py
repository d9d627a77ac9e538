"""One trace on one executor: what the clients do, what is seen of it, and its history."""

import concurrent.futures
import sys
import threading
import time

from clients import FIRST_BODY_CLIENT, WORKER, Client, current_client, here
from modes import make_executor, mode_of_process
from trace_text import Statement

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

# What does something before it blocks that nobody can see.
UNSEEN = ("wait", "as_completed", "map")


# Whether a map ends, and cancels, at what a call of it threw (law M3).
MAP_ENDS_AT_ERROR = sys.version_info < (3, 16)


class TraceError(Exception):
    """What the body of a call throws: the test's exception number `number`."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


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
        intake or to cancel; and whether a worker that is to be held is.

        Either would make two situations look alike that are not.
        """
        if self._beginnings > 0:
            return False
        is_to_be_held = mode_of_process() == "--hold-taken" and self._accepted and not self._hold.is_set()
        if is_to_be_held and not self._hold.reached_by_worker:
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
            behind = [submit.call for submit in inputs[number + 1:]]
            self._invoke("result", inputs[number], behind if MAP_ENDS_AT_ERROR else [])
            reply = reply_of(lambda _: next(results), None)
            self._reply(reply)
            if MAP_ENDS_AT_ERROR and not reply.startswith("value"):
                return
        # A generator that was never advanced lets go of nothing.
        if statement.taken in (0, len(inputs)):
            return
        self._invoke("abandon", Statement("abandon"), [submit.call for submit in inputs[statement.taken:]])
        results = None  # The last reference: that closes a generator at once, and whatever a later Python has in its place.
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
