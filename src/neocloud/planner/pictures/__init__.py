"""A front for people: in words, as a plot, as a page of its own."""
