"""What needs a container engine: `make containers`. The engine is podman's own service, started by the tests."""
