"""The report as a page for whoever decides: one HTML file with charts, without any other file."""

from neocloud.books.board.page import page_of, write_page

__all__ = ["page_of", "write_page"]
