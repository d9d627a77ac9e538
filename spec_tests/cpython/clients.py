"""On whose behalf a thread is inside the executor, and the threads of the program."""

import queue
import threading

WORKER = -1             # The client of what runs on a worker outside any body.
FIRST_BODY_CLIENT = 64  # The body of call k is client FIRST_BODY_CLIENT + k.

here = threading.local()  # .client: on whose behalf this thread is inside the executor. .in_shutdown.


def current_client():
    return getattr(here, "client", WORKER)


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
