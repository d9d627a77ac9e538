"""Runs traces on CPython's concurrent.futures, on a ThreadPoolExecutor or a ProcessPoolExecutor, for cpython_player.

Commands come on standard input, one per line; what is said to them goes to standard output. The text form of a trace is
described in spec_tests/traces/trace.h, what a command must do in spec_tests/candidates/trace_player.h.

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

The argument names a mode, see modes.py; it may be missing.
"""

import logging
import os
import signal
import sys

import processes
from episode import Episode
from modes import PROCESS_MODES, install_hold, mode_of_process
from trace_text import Trace

# Threads of one interpreter take turns. Shorter turns mean more interleavings, and cost little here.
TURN_S = 20e-6


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
            error = processes.share_memory()
            if error is not None:
                say("unavailable: this python3 has no multiprocessing: %s" % error)
                return None
            episode = processes.ProcessEpisode(trace, hold)
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
    if processes.shared is not None:
        os.killpg(0, signal.SIGKILL)
    os._exit(status)
