"""The second factor: TOTP codes of an authenticator, recovery codes, and passkeys.

The kernel knows only that one is on (`users.second_factor_at`): a right password then opens no session but hands out a
ticket (`auth.mfa_ticket`). Whoever brings the ticket and a code back here gets the session. A passkey gets it at once.
"""
