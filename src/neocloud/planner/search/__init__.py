"""Search over configurations: which ones serve a model on an accelerator, and how well."""
