"""The engine: executes the blocks of an app for some inputs, and yields a step as each starts and ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from example_suites.dust_server.blocks import Block, BlockError, Env, Json, check_config, render
from example_suites.dust_server.model import complete
from example_suites.dust_server.noise import NO_DRAWS, Draws
from example_suites.dust_server.values import chat_value, llm_value

Executions = list[list[Json]]
"""The executions of a block: `executions[input][element of a map or iteration of a loop]`."""

SKIPPED: Json = {"value": None, "error": None, "meta": None}
"""The execution of a block in a `while` loop for an input that has left the loop."""
MAX_MAP = 64
"""Maximum number of elements of a map."""
MAX_WHILE = 32
"""A while loop must allow fewer iterations than this."""
BLOCK_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Exceptions that become the error of an execution."""


class EngineCrashError(Exception):
    """The engine itself failed: the run ends, and its status stays `running`."""


class EngineRefusalError(Exception):
    """The engine refused a run before it had an id; only a stream shows the `code`."""

    def __init__(self, code: str, message: str) -> None:
        """Take the code and the message of a stream's `error` event."""
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class ModelText:
    """A text that a model returned in an environment, and the names of the functions that it called."""

    env: Env
    text: str
    functions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Started:
    """The step in which a block starts; a block in a loop starts once for each iteration."""

    block: Block


@dataclass(frozen=True)
class Ended:
    """The step in which a block ends: its executions, and which inputs skipped it."""

    block: Block
    executions: Executions
    skipped: list[bool]
    texts: list[ModelText]

    def count(self, *, errors: bool) -> int:
        """Return the number of executions that failed, or of those that succeeded; neither counts skips."""
        ran = (row for row, skipped in zip(self.executions, self.skipped, strict=True) if not skipped)
        return sum((execution["error"] is not None) == errors for row in ran for execution in row)


Step = Started | Ended


def check_run(blocks: Iterable[Block], inputs: Sequence[Json]) -> None:
    """Raise EngineRefusalError if the engine would not start this run."""
    if any(block.spec.get("max_iterations", 0) >= MAX_WHILE for block in blocks if block.type == "while"):
        raise EngineRefusalError(
            "invalid_specification_error", f"`max_iterations` cannot be greater than {MAX_WHILE}"
        )
    for number, one in enumerate(inputs):
        if set(one) != set(inputs[0]):
            raise EngineRefusalError(
                "invalid_inputs_error", f"Input {number} has other keys than the first one"
            )


class Machine:
    """One run of an app: `steps` executes block after block, each for all inputs, as Dust's engine does.

    Blocks before `input` have one environment; from `input` on there is one for each input, and within a
    map one for each element of each input.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        inputs: Sequence[Json],
        config: Json,
        drifted: Collection[str],
        draws: Callable[[Json], Draws] = lambda _input: NO_DRAWS,
    ) -> None:
        """Prepare a run; blocks named in `drifted` call the newer model, `draws` returns an input's draws."""
        check_run(blocks, inputs)
        self.blocks, self.inputs, self.drifted = blocks, inputs, drifted
        self.draws = [draws(one) for one in inputs]
        self.envs = [[Env(config)]]  # envs[input][element]
        self.outer: list[Env] = []  # within a map: the environment of each input before it
        self.mapped: list[str] = []  # the blocks that ran within the map
        self.loop: int | None = None  # within a while loop: the position of its `while`
        self.iteration = 0
        self.skips: list[bool] = []  # within a while loop: which inputs have left it

    def steps(self) -> Iterator[Step]:
        """Execute the blocks in order, and loops again and again; the run ends early if a block fails."""
        at = 0
        while at < len(self.blocks):
            block = self.blocks[at]
            self._before(block, at)
            yield Started(block)
            ended = self._execute(block)
            yield ended
            if ended.count(errors=True):
                return
            self._store_outputs(ended)
            at = self._after(block, at)

    # before a block

    def _before(self, block: Block, at: int) -> None:
        match block.type:
            case "input":
                before = self.envs[0][0]
                self.envs = [
                    [replace(before, input=value, index=number, draws=self.draws[number])]
                    for number, value in enumerate(self.inputs)
                ]
            case "reduce":
                self._end_map()
            case "while":
                self._start_iteration(block, at)

    def _end_map(self) -> None:
        """Gather the outputs of the blocks within the map into a list per block."""
        if not all(self.envs):
            raise EngineCrashError("a map over an empty list")

        def gathered(envs: list[Env]) -> Json:
            return {name: [env.state[name] for env in envs] for name in self.mapped}

        pairs = zip(self.outer, self.envs, strict=True)
        self.envs = [[outer.with_outputs(**gathered(inner))] for outer, inner in pairs]
        self.outer, self.mapped = [], []

    def _start_iteration(self, block: Block, at: int) -> None:
        if self.loop is None:
            self.loop, self.iteration = at, 0
            self.skips = [False] * len(self.envs)
        else:
            self.iteration += 1
        place = {"name": block.name, "iteration": self.iteration}
        self.envs = [[replace(env, map=place) for env in row] for row in self.envs]

    # the block itself

    def _execute(self, block: Block) -> Ended:
        texts: list[ModelText] = []
        skips = self.skips or [False] * len(self.envs)
        executions = [
            [SKIPPED if skip else self._attempt(block, env, texts) for env in row]
            for row, skip in zip(self.envs, skips, strict=True)
        ]
        return Ended(block, executions, skips, texts)

    def _attempt(self, block: Block, env: Env, texts: list[ModelText]) -> Json:
        try:
            check_config(block.type, block.name, env.config.get(block.name))
            value, meta = self._value_and_meta(block, env, texts)
        except BlockError as error:
            return {"value": None, "error": str(error), "meta": None}
        except BLOCK_FAILURES as error:
            return {"value": None, "error": f"{type(error).__name__}: {error}", "meta": None}
        return {"value": value, "error": None, "meta": meta}

    def _value_and_meta(
        self, block: Block, env: Env, texts: list[ModelText]
    ) -> tuple[Any, Json | list[Any] | None]:
        match block.type:
            case "while" if self.iteration >= block.spec["max_iterations"]:
                return False, None
            case "while":
                return block.function(env, block.spec), []
            case "code" | "curl":
                return block.function(env, block.spec), {"logs": []}
            case "llm" | "chat" if {"prompt", "instructions"} & set(block.spec):
                return self._ask_model(block, env, texts)
        return self._value(block, env), None

    def _value(self, block: Block, env: Env) -> Any:
        match block.type:
            case "input":
                return env.input
            case "data":
                return block.spec["data"]
            case "map":
                return self._elements(block.spec["from"], env)
        return block.function(env, block.spec)

    def _elements(self, source: str, env: Env) -> list[Any]:
        value: list[Any] = env.state[source]
        if len(value) > MAX_MAP:
            raise BlockError(f"Map `from` block `{source}` output exceeds maximum size ({MAX_MAP})")
        return value

    def _ask_model(self, block: Block, env: Env, texts: list[ModelText]) -> tuple[Any, Json]:
        prompt = render(block.spec["prompt" if block.type == "llm" else "instructions"], env)
        text = complete(prompt, env.draws, drifted=block.name in self.drifted)
        limit = env.config[block.name].get("max_tokens")
        text = text if limit is None else " ".join(text.split()[:limit])
        value = llm_value(prompt, text) if block.type == "llm" else chat_value(text)
        texts.append(_model_text(env, value))
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(text.split())}
        return value, {"token_usage": usage, "logs": []}

    # after a block

    def _store_outputs(self, ended: Ended) -> None:
        rows = zip(self.envs, ended.executions, ended.skipped, strict=True)
        self.envs = [
            [
                self._with_output(env, ended.block, [] if skipped else [execution["value"]])
                for env, execution in zip(envs, executions, strict=True)
            ]
            for envs, executions, skipped in rows
        ]

    def _with_output(self, env: Env, block: Block, values: list[Any]) -> Env:
        """Return the environment with the block's value; within a while loop with a list of all so far."""
        if self.loop is None:
            return env.with_outputs(**{block.name: values[0]})
        if block.type == "end":  # it has the name of its `while`, whose values stay
            return env
        return env.with_outputs(**{block.name: [*env.state.get(block.name, []), *values]})

    def _after(self, block: Block, at: int) -> int:
        """Return the position of the next block."""
        match block.type:
            case "map":
                self._start_map(block)
            case "while":
                self.skips = [not row[0].state[block.name][-1] for row in self.envs]
            case "end":
                return self._end_iteration(at)
            case _ if self.outer:
                self.mapped.append(block.name)
        return at + 1

    def _start_map(self, block: Block) -> None:
        self.outer = [row[0] for row in self.envs]
        self.envs = [
            [
                replace(
                    env.with_outputs(**{block.name: element}),
                    map={"name": block.name, "iteration": iteration},
                )
                for iteration, element in enumerate(env.state[block.name])
            ]
            for env in self.outer
        ]

    def _end_iteration(self, at: int) -> int:
        if self.loop is not None and not all(self.skips):
            return self.loop
        self.loop, self.skips = None, []
        self.envs = [[replace(env, map=None) for env in row] for row in self.envs]
        return at + 1


def _model_text(env: Env, value: Json) -> ModelText:
    if "completion" in value:
        return ModelText(env, value["completion"]["text"])
    message = value["message"]
    functions = tuple(call["name"] for call in message.get("function_calls", []))
    return ModelText(env, message["content"], functions)
