"""The comparison with existing engines and with floors that `make bench` runs. Never imported by the product."""
