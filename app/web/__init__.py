"""HTTP plumbing that knows no user: what comes in is made safe to look at, what goes out carries every header.

From the wire to a handler, outermost first: `headers.SecurityHeaders`, `errors.ErrorBoundary`, `headers.WellFormed`,
`origin.TrustedHost`, `headers.BodyLimit`, `origin.SameOrigin`; then authentication (not here) and the router, whose
handling of arguments `framework_patches.install()` has mended. A handler reads a form with `forms.parse` and answers
with `templates.page`; it raises `errors.Problem` for everything that it will not do.
"""
