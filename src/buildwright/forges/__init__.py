"""Forges: GitHub, GitLab and Gitea behind one port. Must never show a token, nor send it to another host than its own."""

from buildwright.forges.gitea import Gitea
from buildwright.forges.github import GitHub
from buildwright.forges.github_repositories import GitHubRepositories
from buildwright.forges.gitlab import GitLab

__all__ = ["GitHub", "GitHubRepositories", "GitLab", "Gitea"]
