"""Whether the server lives (G0). Needs nobody, and tells nothing of anybody's builds."""

from __future__ import annotations

from importlib import metadata

from fastapi import APIRouter
from pydantic import BaseModel

from buildwright.api.problems import responses

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """It answers."""

    status: str = "ok"


class Version(BaseModel):
    """What answers."""

    version: str
    phase: str


@router.get("/health", responses=responses())
async def health() -> Health:
    """Whether the server answers."""
    return Health()


@router.get("/health/version", responses=responses())
async def version() -> Version:
    """Which version answers."""
    return Version(version=number(), phase="serve")


def number() -> str:
    """The version of the installed package."""
    try:
        return metadata.version("buildwright")
    except metadata.PackageNotFoundError:
        return "unknown"
