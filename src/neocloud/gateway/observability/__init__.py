"""What an operator watches: metrics, traces and the log, and how they are written out."""
