"""The tools and resources as a server of the official SDK, for any transport. Must never know who the caller is."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from importlib import metadata
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from buildwright.assistants import resources
from buildwright.assistants.context import ToolContext
from buildwright.assistants.tool import NOTICE, Tool, answered
from buildwright.errors import BuildwrightError

Opened = Callable[[ServerRequestContext[Any, Any]], AbstractAsyncContextManager[ToolContext]]
"""Opens what the tools work with, for the caller of one request."""

INSTRUCTIONS = (
    "Buildwright turns a description of software into merged, proven changes in a git repository. Typical order: `check` (where"
    " there is one) or `plan`, `start`, then `status` with `wait_seconds` until the build has ended or is paused. A pause lists"
    " its choices: ask your user, then `resume`. Ask your user before `start`, `approve`, `undo` and `stop`: they cost money,"
    f" consent in your user's name, or end work. {NOTICE}"
)
_NOTED = {"buildwright/notice": NOTICE}


def server_of(tools: Sequence[Tool], opened: Opened) -> Server[dict[str, Any]]:
    """Return a server with these tools, and with the resources of builds."""
    answers = _Answers({tool.name: tool for tool in tools}, opened)
    return Server(
        "buildwright",
        version=metadata.version("buildwright"),
        title="Buildwright",
        instructions=INSTRUCTIONS,
        on_list_tools=answers.tools,
        on_call_tool=answers.call,
        on_list_resources=answers.resources,
        on_list_resource_templates=answers.templates,
        on_read_resource=answers.read,
    )


class _Answers:
    """The answers to requests of the protocol."""

    def __init__(self, tools: dict[str, Tool], opened: Opened) -> None:
        self._tools = tools
        self._opened = opened
        self._listed: types.ListToolsResult | None = None

    async def tools(
        self, _ctx: ServerRequestContext[Any, Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """Return the tools with their schemas, made once."""
        if self._listed is None:
            self._listed = types.ListToolsResult(tools=[_described(tool) for tool in self._tools.values()])
        return self._listed

    async def call(
        self, ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Call a tool. What goes wrong is an answer that the assistant reads: what happened, why, and what to do."""
        tool = self._tools.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name[:100]}")
        try:
            wanted = tool.takes.model_validate(params.arguments or {})
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, one['loc'])) or 'input'}: {one['msg']}" for one in error.errors()[:10]]
            return _failed("the input is not valid", "; ".join(wrong), "correct these fields")

        async def tell(step: int, words: str) -> None:
            await ctx.session.report_progress(step, None, words)

        try:
            async with self._opened(ctx) as context:
                fields = answered(await tool.act(replace(context, progress=tell), wanted))
        except BuildwrightError as error:
            return _failed(type(error).__name__, str(error), error.fix or "")
        text = types.TextContent(type="text", text=json.dumps(fields, ensure_ascii=False))
        return types.CallToolResult(content=[text], structured_content=fields)

    async def resources(
        self, ctx: ServerRequestContext[Any, Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """Return the resources of the caller's newest builds."""
        async with self._opened(ctx) as context:
            rows = await context.client.builds.rows(resources.MOST_LISTED)
        return types.ListResourcesResult(
            resources=[
                types.Resource(
                    name=f"{row.build_id[:8]} {kind.name}",
                    uri=kind.address(row.build_id),
                    description=kind.words,
                    mime_type=kind.media_type,
                )
                for row in rows
                for kind in resources.KINDS
            ]
        )

    async def templates(
        self, _ctx: ServerRequestContext[Any, Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """Return how the addresses of resources are made."""
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(
                    name=kind.name,
                    uri_template=kind.address("{build}"),
                    description=kind.words,
                    mime_type=kind.media_type,
                )
                for kind in resources.KINDS
            ]
        )

    async def read(
        self, ctx: ServerRequestContext[Any, Any], params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """Return a resource; whose words it holds is said beside it."""
        try:
            async with self._opened(ctx) as context:
                kind, text = await resources.read(context, params.uri)
        except BuildwrightError as error:
            raise MCPError(types.INVALID_PARAMS, _words(str(error), error.fix or "")) from error
        content = types.TextResourceContents(uri=params.uri, mime_type=kind.media_type, text=text, _meta=_NOTED)
        return types.ReadResourceResult(contents=[content], ttl_ms=0, cache_scope="private")


def _described(tool: Tool) -> types.Tool:
    hints = types.ToolAnnotations(
        read_only_hint=tool.reads,
        destructive_hint=tool.takes_away,
        open_world_hint=tool.name in {"start", "plan"},
    )
    return types.Tool(
        name=tool.name,
        description=tool.words,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=hints,
    )


def _words(message: str, fix: str) -> str:
    return f"{message}\nfix: {fix}" if fix else message


def _failed(kind: str, message: str, fix: str) -> types.CallToolResult:
    said = f"error ({kind}): {_words(message, fix)}\n{NOTICE}"
    return types.CallToolResult(content=[types.TextContent(type="text", text=said)], is_error=True)
