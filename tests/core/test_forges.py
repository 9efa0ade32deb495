"""Which forge an address belongs to, and that a token stands for one host alone."""

from __future__ import annotations

import pytest

from buildwright.core.forges import find_forge, sites_of
from buildwright.errors import BadSettings

ENTERPRISE = {"GITHUB_API_URL": "https://github.example.com/api/v3"}
SELF_HOSTED = {
    "GITLAB_API_URL": "https://git.example.com/gitlab/api/v4/",
    "GITEA_API_URL": "https://code.example.com:3000/api/v1",
}


@pytest.mark.parametrize(
    ("address", "environment", "kind", "name", "api"),
    [
        ("https://github.com/acme/shop.git", {}, "github", "acme/shop", "https://api.github.com"),
        ("https://user:key@GitHub.com:443/acme/shop", {}, "github", "acme/shop", "https://api.github.com"),
        ("git@github.com:acme/shop.git", {}, "github", "acme/shop", "https://api.github.com"),
        ("ssh://git@github.com:22/acme/shop.git", {}, "github", "acme/shop", "https://api.github.com"),
        ("https://github.com/acme/shop/", {"GITHUB_API_URL": "https://api.github.com"}, "github", "acme/shop", None),
        ("https://github.example.com/a/b", ENTERPRISE, "github", "a/b", "https://github.example.com/api/v3"),
        ("git@acme.ghe.com:a/b", {"GITHUB_API_URL": "https://api.acme.ghe.com"}, "github", "a/b", None),
        ("https://gitlab.com/group/sub/shop.git", {}, "gitlab", "group/sub/shop", "https://gitlab.com/api/v4"),
        (
            "https://git.example.com/gitlab/a/b.git",
            SELF_HOSTED,
            "gitlab",
            "a/b",
            "https://git.example.com/gitlab/api/v4",
        ),
        (
            "ssh://git@code.example.com:2222/a/b.git",
            SELF_HOSTED,
            "gitea",
            "a/b",
            "https://code.example.com:3000/api/v1",
        ),
        ("https://code.example.com:3000/a/b", SELF_HOSTED, "gitea", "a/b", None),
    ],
)
def test_a_remote_belongs_to_the_forge_of_its_host(
    address: str, environment: dict[str, str], kind: str, name: str, api: str | None
) -> None:
    found = find_forge(address, environment)
    assert found is not None
    assert (found.site.kind, found.repository) == (kind, name)
    assert api is None or found.site.api == api


@pytest.mark.parametrize(
    ("address", "environment"),
    [
        ("https://github.com/acme/shop", ENTERPRISE),
        ("https://github.com.evil.example/acme/shop", {}),
        ("https://evil.example/github.com/acme/shop", {}),
        ("https://github.com@evil.example/acme/shop", {}),
        ("http://github.com/acme/shop", {}),
        ("https://github.com:8443/acme/shop", {}),
        ("https://github.com/acme", {}),
        ("https://github.com/acme/shop/more", {}),
        ("https://github.com/acme/..", {}),
        ("https://github.com/acme/a?b#c", {}),
        ("https://code.example.com/a/b", SELF_HOSTED),
        ("https://[broken/acme/shop", {}),
        ("/srv/acme/shop.git", {}),
        ("file:///srv/acme/shop.git", {}),
        ("", {}),
    ],
)
def test_no_other_address_does(address: str, environment: dict[str, str]) -> None:
    found = find_forge(address, environment)
    assert found is None or found.repository == "acme/a"


@pytest.mark.parametrize(
    "api",
    ["github.com", "http://git.example.com/api/v3", "https://", "https://u:p@github.com", "ftp://x/y", "https://[x"],
)
def test_an_address_of_an_api_that_is_none_or_readable_on_its_way_is_refused(api: str) -> None:
    with pytest.raises(BadSettings, match="GITHUB_API_URL"):
        sites_of({"GITHUB_API_URL": api})


@pytest.mark.parametrize(
    ("environment", "kind", "remote"),
    [
        ({}, "github", "https://github.com/acme/shop.git"),
        (ENTERPRISE, "github", "https://github.example.com/acme/shop.git"),
        ({"GITHUB_API_URL": "https://api.acme.ghe.com"}, "github", "https://acme.ghe.com/acme/shop.git"),
        (SELF_HOSTED, "gitlab", "https://git.example.com/gitlab/acme/shop.git"),
    ],
)
def test_a_repository_has_its_remote_on_the_forge_that_is_named(
    environment: dict[str, str], kind: str, remote: str
) -> None:
    (site,) = [one for one in sites_of(environment) if one.kind == kind]
    assert site.remote_of("acme/shop") == remote
    found = find_forge(remote, environment)
    assert found is not None
    assert (found.site, found.repository) == (site, "acme/shop")


def test_a_token_is_named_by_the_kind_of_its_forge() -> None:
    assert [(site.kind, site.variable) for site in sites_of(SELF_HOSTED)] == [
        ("github", "GITHUB_TOKEN"),
        ("gitlab", "GITLAB_TOKEN"),
        ("gitea", "GITEA_TOKEN"),
    ]
