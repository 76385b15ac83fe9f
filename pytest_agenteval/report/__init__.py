"""The week-over-week report: what the history says, put into blocks, drawn as a page."""
