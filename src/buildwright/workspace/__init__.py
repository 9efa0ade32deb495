"""One deep module over git: mirror, lanes, patches, merges, delivery. Never runs git where an agent can write."""

from buildwright.workspace.git_workspace import GitWorkspace

__all__ = ["GitWorkspace"]
