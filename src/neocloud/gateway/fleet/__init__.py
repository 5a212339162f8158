"""The replicas that answer: where each is, how the router sees it, whom the plan sends there."""
