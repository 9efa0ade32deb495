"""One deep module over git: mirror, lanes, patches, merges, delivery. Never runs git where an agent can write."""
