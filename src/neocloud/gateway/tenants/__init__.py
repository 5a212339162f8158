"""Who asks, from where, and what they may: rules of the cloud file, keys, limits, cache secret."""
