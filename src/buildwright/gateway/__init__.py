"""The one door to language models: providers, keys, metering, record, replay. Importing must load no HTTP library."""

from buildwright.gateway.client import GatewayModel
from buildwright.gateway.local import LocalGateway

__all__ = ["GatewayModel", "LocalGateway"]
