"""The text form of traces, which spec_tests/traces/trace.h describes, read as values."""

import re


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
