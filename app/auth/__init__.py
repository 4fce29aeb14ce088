"""The kernel: who is asking, and may they.

The way of a request, in one screen:

    GET /dashboard, good cookie        identity.TokenBackend -> tokens.read -> badges.check_in -> request.user
                                       guards.SignedIn lets pass -> handler -> page
    GET /dashboard, access expired     guards.SignedIn raises LoginRequired -> challenges -> 303 /auth/resume
                                       pages.resume -> sessions.rotate -> cookies.remember -> 303 /dashboard
    POST /notes, access expired        the same with 307 and 307: method and body survive
    link from another site             no cookies came along (SameSite=Strict) -> challenges bounces it
    POST /login                        forms.parse -> accounts.login -> sessions.start -> cookies.remember
    an old refresh token               judge says REUSE -> the session is revoked and committed -> then the 401

Who may import whom:
    pages, api -> guards, challenges -> identity -> accounts, cookies -> sessions -> badges, models, tokens, judge
    -> keys, passwords, errors. The kernel imports no feature.
"""
