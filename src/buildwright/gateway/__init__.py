"""The one local door to language models: providers, keys, metering, record and replay."""
