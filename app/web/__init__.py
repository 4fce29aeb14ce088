"""HTTP without users: middleware, forms, templates, error pages, static files, OpenAPI.

The middleware, outermost first: `security_headers.SecurityHeaders`, `errors.ErrorBoundary`,
`request_limits.WellFormed`, `same_origin.TrustedHost`, `request_limits.BodyLimit`, `same_origin.SameOrigin`; then
authentication (`app.auth`) and the router, whose handling of arguments `framework_patches.install()` corrects.
A handler reads a form with `forms.parse`, answers with `templates.page`, and raises `errors.Problem` to refuse.
"""
