"""A local Dust: an HTTP server on 127.0.0.1 that answers as the Dust Apps API does.

It serves six small apps, each in two versions, whose blocks compute their outputs.  Suites can be run
and recorded with it, and versions compared, without an account.  One of them, `noisy-triage`, answers
differently every time and errs as often as its `Noise` says.  Start it from a shell:

    python example_suites/dust_server --port 8808

or from Python: `with DustServer() as dust: httpx.get(dust.base_url + ...)`.

Read the modules in this order to learn how Dust behaves; each imports only modules above it:

    noise        settings and draws of the app that answers differently every time
    blocks       a block, what it sees when it runs, the config it needs
    values       the JSON shape of the value that each type of block returns
    model        a stand-in for the language model behind llm and chat blocks
    apps         the example apps
    engine       runs an app, block by block
    wire         a run as JSON: block statuses and traces, blocking and polled
    runs         a run in progress, and its stream of events
    http_server  HTTP requests and replies
    server       the operations of the API, and what the app editor has saved
"""

from example_suites.dust_server.apps import APPS, App, Edit
from example_suites.dust_server.blocks import MODEL_CONFIG, Block, BlockError, Env, specification_hash
from example_suites.dust_server.engine import EngineRefusalError, Machine
from example_suites.dust_server.http_server import Handler, Reply, Request, json_reply
from example_suites.dust_server.model import DRIFTING
from example_suites.dust_server.noise import Draws, Noise
from example_suites.dust_server.runs import Run, event, event_frame, run_events, sse
from example_suites.dust_server.server import DustServer, RefusalError, error_reply
from example_suites.dust_server.wire import block_statuses, by_iteration, filtered, last_executions, merged

__all__ = [
    "APPS",
    "DRIFTING",
    "MODEL_CONFIG",
    "App",
    "Block",
    "BlockError",
    "Draws",
    "DustServer",
    "Edit",
    "EngineRefusalError",
    "Env",
    "Handler",
    "Machine",
    "Noise",
    "RefusalError",
    "Reply",
    "Request",
    "Run",
    "block_statuses",
    "by_iteration",
    "error_reply",
    "event",
    "event_frame",
    "filtered",
    "json_reply",
    "last_executions",
    "merged",
    "run_events",
    "specification_hash",
    "sse",
]
