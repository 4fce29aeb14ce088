"""The second factor: an authenticator with a new code every 30 seconds, and recovery codes for the day it is lost.

The kernel knows only that one is on (`users.second_factor_at`): a right password then opens no session but hands out a
ticket (`auth.tickets`). Whoever brings the ticket and a code back here gets the session. A passkey gets it at once.
"""
