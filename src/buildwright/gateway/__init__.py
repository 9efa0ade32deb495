"""The one local door to language models: providers, keys, metering, record and replay. Importing loads no HTTP library."""

from buildwright.gateway.client import GatewayModel
from buildwright.gateway.local import LocalGateway

__all__ = ["GatewayModel", "LocalGateway"]
