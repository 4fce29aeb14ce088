"""The demo feature: notes that belong to one person, as pages and as JSON API."""
