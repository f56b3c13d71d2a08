"""A local server whose attempts say what a test wrote for them."""

from __future__ import annotations

import json
import threading
import time

from conftest import dust_server


class Actor:
    """A service whose attempts say, in the order in which they ask, what a test wrote for them."""

    def __init__(self, server):
        self.server = server
        self.lock = threading.Lock()
        self.lines = []
        self.seconds = 0.0
        self.now = self.most = self.asked = 0
        self.times = []
        server.behaviour = self.behaviour

    def say(self, *lines):
        """Answer run after run with these (label, answer), None for an error; what follows as Dust does."""
        self.lines = [(one, "fine") if isinstance(one, str) else one for one in lines]
        self.asked = 0

    def behaviour(self, request):
        """Answer a run, and count how many are under way."""
        if request.method != "POST":
            return None
        with self.lock:
            at, self.asked, self.now = self.asked, self.asked + 1, self.now + 1
            self.most = max(self.most, self.now)
            self.times.append(time.monotonic())
        time.sleep(self.seconds)
        document = json.loads(dust_server.DustServer.answer(self.server, request).whole())
        if at < len(self.lines):
            self.change(document["run"], self.lines[at])
        with self.lock:
            self.now -= 1
            self.times.append(time.monotonic())
        return dust_server.json_reply(document)

    @staticmethod
    def change(run, line):
        """Give the run another label and answer; without a line, an error in its last block."""
        if line is None:
            run["traces"][-1][1][0][0].update(value=None, error="it broke")
            run["status"]["run"] = "errored"
            run["results"] = None
            return
        label, answer = line
        for rows in (run["traces"][-1][1], run["results"]):
            rows[0][0]["value"] = {"label": label, "answer": answer}

    @property
    def took(self):
        """Seconds from the first request to the last reply."""
        return max(self.times) - min(self.times)
