"""Templates of contracts, one file per type; their first line names their version. Must never hold code."""
