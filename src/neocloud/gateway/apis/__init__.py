"""The APIs that clients speak, each in a module of its own behind `Api`."""
