"""Authentication and authorisation: sessions, tokens, login, sign-up, permissions, rate limits.

How each request is answered:

    GET /dashboard, access token valid   authentication.JWTBackend -> tokens.read -> session_cache.load -> request.user
                                         permissions.SignedIn accepts -> handler -> page
    GET /dashboard, access expired       permissions.SignedIn raises LoginRequired -> challenges -> 303 /auth/resume
                                         login.resume -> login_flow.refresh -> cookies.set_tokens -> 303 /dashboard
    POST /account, access expired        the same with 307 and 307: method and body survive
    the same form twice                  idempotency -> the second gets the response to the first (`form_submissions`)
    link from another site               SameSite=Strict withholds the cookies -> challenges answers with a bounce page
    POST /register, /forgot-password     signup.request, password_reset.request -> an e-mail is queued; `emails` decides
                                         later who gets which text
    an e-mailed link                     GET shows a button; POST -> email_links.use, once -> an account, a new password
    POST /login                          forms.parse -> login_flow.login -> rotation.start -> cookies.set_tokens
    the same with a second factor        login_flow.login -> cookies.set_ticket -> /login/code (mfa)
                                         -> login_flow.complete
    the same where a passkey is offered  login_flow.complete -> passkey_offer.made -> redirects.signed_in
    POST /login/passkey                  mfa.passkeys.sign_in -> login_flow.complete
    POST /account/password               permissions.RecentLogin -> password_change.change_password: one transaction,
                                         new session
    an old refresh token                 rotation_policy says REUSE -> the session is revoked and committed -> then 401

Which module may import which: the contract "kernel" in pyproject.toml. `app.auth` imports no feature.
"""
