"""A request from its arrival to its usage event.

`Gateway` reads and admits it, or refuses it or lets it wait (`waiting`). Until it has a replica it
is an `Entry`; admitted, it is a `Flight` that bears a `Ticket`.
"""
