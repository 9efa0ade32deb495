"""The one local door to language models: providers, keys, metering, record and replay. Importing loads no HTTP library."""

from buildwright.gateway.client import GatewayModel
from buildwright.gateway.local import LocalGateway
from buildwright.gateway.upstream import DEFAULT_MODEL

__all__ = ["DEFAULT_MODEL", "GatewayModel", "LocalGateway"]
