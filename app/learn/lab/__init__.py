"""The Token Lab: the kernel, looked at from outside, with the reader's own session and with throw-away ones.

Never shows a signature that the site would accept: script on the page could take it. What it mints is signed by a key
of its own, for an audience of its own. What it signs with the site's key, to see a claim refused, never leaves the
process. Development only, and only for whoever sits at this machine (`permissions.Developer`).

    inspector   both cookies as the server sees them; every check with the line where it stands (`trace`, `sources`)
    family      the session's generations, from the audit trail (app/audit/session_history.py)
    attacks     scripts that run against the real endpoints (`wire`) on a throw-away account (`bench`)
    machine     the real `rotation_policy` on a clock of its own
"""
