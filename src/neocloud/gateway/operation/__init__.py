"""What an operator does to a running gateway: admin API, signals, reload, certificates, engines."""
