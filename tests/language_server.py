"""A client of the YAML language server, which VS Code and other editors run, for tests."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Self


class LanguageServer:
    """A running server that checks `*.dust.yaml` by one JSON Schema; use it in a `with` statement."""

    def __init__(self, program: str, schema: Path, folder: Path = Path("/suites")) -> None:
        """Take the path of yaml-language-server, the file of the schema, and the folder of the suites."""
        self._folder = folder
        self._command = [program, "--stdio"]
        schemas = {schema.as_uri(): "*.dust.yaml"}
        self._settings = {"yaml": {"schemas": schemas, "schemaStore": {"enable": False}}}
        self._asked = 0
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}

    def __enter__(self) -> Self:
        """Start the server."""
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {
                "hover": {"contentFormat": ["markdown"]},
                "completion": {"completionItem": {"snippetSupport": True}},
            },
        }
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": self._settings})
        for _ in range(100):  # until it has read its settings, it has no schema and marks nothing
            if self.diagnostics("nonsense: 1\n"):
                return self
        raise AssertionError("the server reads no schema")

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self._process.kill()
        self._process.communicate()

    def diagnostics(self, text: str) -> list[tuple[int, str]]:
        """The line (from 1) and the message of each mistake that an editor marks."""
        uri = self._open(text)
        while uri not in self._diagnostics:
            self._receive()
        return [(each["range"]["start"]["line"] + 1, each["message"]) for each in self._diagnostics[uri]]

    def hover(self, text: str, word: str) -> str:
        """What an editor shows over the first place of a word, as Markdown."""
        place = self._place(text, text.index(word) + len(word) - len(word.lstrip()) + 1)
        found = self._ask("textDocument/hover", place)
        return str(found["contents"]["value"]) if found else ""

    def completions(self, text: str) -> dict[str, str]:
        """The names that an editor offers where `|` is in the text, and what each inserts."""
        at = text.index("|")
        found = self._ask("textDocument/completion", self._place(text.replace("|", ""), at))
        items = found["items"] if isinstance(found, dict) else found
        return {item["label"]: item["insertText"] for item in items}

    def _open(self, text: str) -> str:
        uri = (self._folder / f"{self._asked}-{len(self._diagnostics)}.dust.yaml").as_uri()
        self._diagnostics.pop(uri, None)
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def _place(self, text: str, at: int) -> dict[str, Any]:
        before = text[:at]
        position = {"line": before.count("\n"), "character": at - before.rfind("\n") - 1}
        return {"textDocument": {"uri": self._open(text)}, "position": position}

    def _ask(self, method: str, params: Any) -> Any:
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._asked and "method" not in message:
                return message.get("result")

    def _tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message; requests of the server are answered here."""
        assert self._process.stdout
        size = 0
        while line := self._process.stdout.readline().strip():
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        assert size, "the server has ended"
        message: dict[str, Any] = json.loads(self._process.stdout.read(size))
        if message.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif message.get("method") == "workspace/configuration":
            sections = [item.get("section") for item in message["params"]["items"]]
            self._send({"id": message["id"], "result": [self._settings.get(each, {}) for each in sections]})
        elif "method" in message and "id" in message:
            self._send({"id": message["id"], "result": None})
        return message
