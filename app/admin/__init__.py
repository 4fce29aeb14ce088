"""The admin area: users, sessions, the audit log and the e-mail queue, as pages and as JSON API."""
