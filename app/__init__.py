"""The application: `main` puts it together, `auth` is its core."""
