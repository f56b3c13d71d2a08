"""The values that blocks return, in the JSON shape that each type of block has at Dust."""

from __future__ import annotations

import hashlib
import random
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any

from example_suites.dust_server.blocks import Json

DOCUMENT_TIME = 1767225600000
"""When the apps and the documents of the data sources were written, in milliseconds since 1970."""


def now() -> int:
    """Return the time in milliseconds since 1970."""
    return int(time.time() * 1000)


def llm_value(prompt: str, text: str) -> Json:
    """Return the value of an llm block; the prompt is part of it."""
    return {"prompt": _llm_text(prompt), "completion": _llm_text(text)}


def _llm_text(text: str) -> Json:
    return {"text": text, "tokens": None, "logprobs": None, "top_logprobs": None}


def chat_value(text: str) -> Json:
    """Return the value of a chat block; each line `name(arguments)` of the text is a function call."""
    lines = [re.fullmatch(r"(\w+)\((.*)\)", line) or line for line in text.split("\n")]
    content = "\n".join(line for line in lines if isinstance(line, str))
    calls = [_function_call(line[1], line[2]) for line in lines if not isinstance(line, str)]
    contents: list[Json] = [{"type": "text_content", "value": content}]
    contents += [{"type": "function_call", "value": call} for call in calls]
    message: Json = {"role": "assistant", "content": content, "contents": contents}
    if calls:
        message["function_call"] = {name: calls[0][name] for name in ("name", "arguments")}
        message["function_calls"] = calls
    return {"message": message}


def _function_call(name: str, arguments: str) -> Json:
    return {"id": f"call_{secrets.token_hex(12)}", "name": name, "arguments": arguments}


def curl_value(body: Any) -> Json:
    """Return the value of a curl block; its times, cookie and request id are new in every run."""
    headers = {
        "content-type": "application/json; charset=utf-8",
        "date": formatdate(usegmt=True),
        "set-cookie": f"session={secrets.token_hex(16)}; Path=/; Secure; HttpOnly",
        "x-request-id": secrets.token_hex(8),
    }
    return {"created": now(), "status": 200, "headers": headers, "body": body}


def search_value(query: str, results: Sequence[Mapping[str, str]]) -> Json:
    """Return the value of a search block; its ids and times are new in every run."""
    search_id, date = secrets.token_hex(12), formatdate(usegmt=True)
    seconds = round(random.uniform(0.2, 2), 2)  # noqa: S311  # no secret
    return {
        "search_metadata": {
            "id": search_id,
            "status": "Success",
            "json_endpoint": f"https://search.example/searches/{search_id}.json",
            "created_at": date,
            "processed_at": date,
            "total_time_taken": seconds,
        },
        "search_parameters": {"engine": "google", "q": query},
        "search_information": {"query_displayed": query, "time_taken_displayed": round(seconds / 4, 2)},
        "organic_results": [{"position": at, **result} for at, result in enumerate(results, start=1)],
    }


def browser_value(url: str, selector: str, text: str) -> Json:
    """Return the value of a browser block."""
    results = [{"html": f"<p>{text}</p>", "text": text}]
    return {
        "data": [{"selector": selector, "results": results}],
        "response": {"code": 200, "status": 200, "url": url},
    }


def database_value(query: str, rows: Sequence[Mapping[str, Any]]) -> Json:
    """Return the value of a database block."""
    columns = [
        {"name": name, "value_type": "int" if isinstance(value, int) else "text", "possible_values": None}
        for name, value in (rows[0] if rows else {}).items()
    ]
    return {"results": list(rows), "schema": columns, "query": query}


def found_document(data_source: str, name: str, text: str, score: float) -> Json:
    """Return one document of a data_source block's value, with the one chunk that was found in it."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    chunk = {"text": text, "hash": digest, "offset": 0, "vector": None, "score": score}
    return {
        "data_source_id": data_source,
        "created": DOCUMENT_TIME,
        "document_id": name,
        "timestamp": DOCUMENT_TIME,
        "title": name.capitalize(),
        "tags": [f"title:{name}"],
        "parents": [name],
        "source_url": None,
        "hash": digest,
        "text_size": len(text),
        "chunk_count": 1,
        "chunks": [chunk],
        "text": None,
        "token_count": len(text.split()),
    }
