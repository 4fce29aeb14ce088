"""The account pages: profile, password, e-mail address, sessions, activity, data export, account deletion.

Pages alone: what they change is changed by `auth.credentials`, `auth.closing` and `auth.accounts`.
"""
