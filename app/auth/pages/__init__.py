"""Pages of the core: `login` (with /auth/resume and step-up), `signup` (with password reset)."""
