"""Everything Buildwright does with git: mirrors, lanes, patches, merges, delivery. Must never run git in a lane."""

from buildwright.workspace.git_workspace import GitWorkspace

__all__ = ["GitWorkspace"]
