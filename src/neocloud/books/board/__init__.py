"""The report as a page for whoever decides: one HTML file with charts, without any other file."""

from neocloud.books.board.page import frame, page_of, sections, write_page

__all__ = ["frame", "page_of", "sections", "write_page"]
