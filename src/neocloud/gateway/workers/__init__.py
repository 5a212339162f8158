"""The processes of a gateway: what each holds together, who starts them, how they speak.

`run` brings one up and down. `Service` is all that one process serves with; `worker` is the program
of one of several, and `supervise` their parent, which has a `Hand` on each.
"""
