"""How a user of each peer writes the job that a corpus is: ask a question, hold the status and the label.

Each function writes a project into a folder and gives back the files' texts; nothing is timed here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import answers
from corpora import Corpus
from measure import Check

Project = Callable[[Corpus, str], Mapping[str, str]]
"""Given the job and a server's address, the project's files and their texts."""

SHARED_CLIENT = """\
import httpx
import pytest


@pytest.fixture(scope="session")
def client():
    with httpx.Client(base_url="{url}") as client:
        yield client
"""
WITH_CLIENT = """\
import pytest

CASES = {cases}


@pytest.mark.vcr
@pytest.mark.parametrize("question, label", CASES, ids=[f"case-{{n}}" for n in range({first}, {last})])
def test_answer(client, question, label):
    asked = {{"specification_hash": "{hash}", "config": {{}}, "inputs": [{{"question": question}}]}}
    response = client.post("{path}", json={{**asked, "blocking": True}})
    assert response.status_code == 200
    run = response.json()["run"]
    assert run["status"]["run"] == "succeeded"
    assert run["results"][0][0]["value"]["label"] == label
"""
AS_MOST = WITH_CLIENT.replace("import pytest\n", "import httpx\nimport pytest\n", 1).replace(
    'client.post("{path}"', 'httpx.post("{url}{path}"'
)
AS_MOST = AS_MOST.replace("(client, question", "(question")


def shared_client(corpus: Corpus, url: str) -> dict[str, str]:
    """A pytest project whose tests share one httpx.Client, a cassette per test."""
    return {**_modules(corpus, url, WITH_CLIENT), "conftest.py": SHARED_CLIENT.format(url=url)}


def no_client(corpus: Corpus, url: str) -> dict[str, str]:
    """The same with httpx.post in each test, as most people write it."""
    return _modules(corpus, url, AS_MOST)


def tavern(corpus: Corpus, url: str) -> dict[str, str]:
    """A Tavern project: its tests ask a server, having no recordings."""
    files = {"pytest.ini": "[pytest]\n"}
    for file, numbers in _split(corpus).items():
        documents = [json.dumps(_tavern_test(number, url), indent=1) for number in numbers]
        files[f"test_{file:03}.tavern.yaml"] = "\n---\n".join(documents) + "\n"
    return files


def promptfoo(corpus: Corpus, url: str) -> dict[str, str]:
    """A promptfoo project: its tests ask a server once, and from then on promptfoo's own cache."""
    provider = {
        "id": "http",
        "config": {
            "url": url + answers.PATH,
            "method": "POST",
            "headers": {"Content-Type": "application/json"},
            "body": {**_body("{{prompt}}")},
            "transformResponse": 'json.run.status.run + " " + json.run.results[0][0].value.label',
        },
    }
    config = {"prompts": ["{{question}}"], "providers": [provider]}
    tests = {
        f"tests-{file:03}.yaml": json.dumps([_promptfoo_test(number) for number in numbers], indent=1)
        for file, numbers in _split(corpus).items()
    }
    config["tests"] = [f"file://{name}" for name in tests]
    return {"promptfooconfig.yaml": json.dumps(config, indent=1), **tests}


def write(files: Mapping[str, str], folder: Path) -> None:
    """Put a project's files into a new folder."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def evaluated(count: int) -> Check:
    """A check that promptfoo passed so many tests and failed none."""

    def check(status: int, output: str) -> str:
        if status:
            return f"exit status {status} instead of 0"
        whole = f"{count:,} passed, 0 failed, 0 errors" in output
        return "" if whole else f"not {count} passed"

    return check


def _split(corpus: Corpus) -> dict[int, range]:
    """The numbers of the cases of each file."""
    return {n: range(n * corpus.cases, (n + 1) * corpus.cases) for n in range(corpus.files)}


def _modules(corpus: Corpus, url: str, template: str) -> dict[str, str]:
    files = {"pytest.ini": "[pytest]\nmarkers = vcr: recorded\n"}
    for file, numbers in _split(corpus).items():
        cases = [(answers.question(number), answers.label(number)) for number in numbers]
        rows = "[\n" + "".join(f"    {case!r},\n" for case in cases) + "]"
        words = {"first": numbers.start, "last": numbers.stop, "url": url, "path": answers.PATH}
        files[f"test_{file:03}.py"] = template.format(cases=rows, hash=answers.HASH, **words)
    return files


def _body(question: str) -> dict[str, object]:
    asked = {"specification_hash": answers.HASH, "config": {}, "inputs": [{"question": question}]}
    return {**asked, "blocking": True}


def _tavern_test(number: int, url: str) -> dict[str, object]:
    value = {"label": answers.label(number)}
    wanted = {"run": {"status": {"run": "succeeded"}, "results": [[{"value": value}]]}}
    request = {"url": url + answers.PATH, "method": "POST", "json": _body(answers.question(number))}
    response = {"status_code": 200, "strict": ["json:off"], "json": wanted}
    stage = {"name": "run", "request": request, "response": response}
    return {"test_name": f"case-{number}", "stages": [stage]}


def _promptfoo_test(number: int) -> dict[str, object]:
    wanted = f"succeeded {answers.label(number)}"
    asked = {"question": answers.question(number)}
    return {"vars": asked, "assert": [{"type": "equals", "value": wanted}]}
