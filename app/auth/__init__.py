"""The kernel: who is asking, and may they.

The way of a request, in one screen:

    GET /dashboard, good cookie        identity.TokenBackend -> tokens.read -> badges.check_in -> request.user
                                       guards.SignedIn lets pass -> handler -> page
    GET /dashboard, access expired     guards.SignedIn raises LoginRequired -> challenges -> 303 /auth/resume
                                       pages.resume -> sessions.rotate -> cookies.remember -> 303 /dashboard
    POST /account, access expired      the same with 307 and 307: method and body survive
    the same form twice                idempotency -> the second is given the first one's answer (`form_submissions`)
    link from another site             no cookies came along (SameSite=Strict) -> challenges bounces it
    POST /register, /forgot-password   registration.ask, recovery.ask -> a letter is owed; `letters` finds out to whom
    a mailed link                      GET shows a button; POST -> links.use, once -> an account, a new password
    POST /login                        forms.parse -> accounts.login -> sessions.start -> cookies.remember
    the same with a second factor      accounts.login -> cookies.hold a ticket -> /login/code (mfa) -> accounts.start
    POST /login/passkey                mfa.passkeys.sign_in -> accounts.start
    POST /account/password             guards.RecentLogin -> credentials.change_password: one transaction, new session
    an old refresh token               judge says REUSE -> the session is revoked and committed -> then the 401

Who may import whom:
    pages, joining_pages, api -> guards, challenges -> identity, idempotency -> letters -> registration, recovery,
    credentials, closing -> submissions -> accounts, cookies -> throttle, sessions -> badges, models, tokens, tickets,
    judge -> keys, passwords, errors. The kernel imports no feature.
"""
