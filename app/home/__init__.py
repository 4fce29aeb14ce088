"""The front page and the dashboard."""
