"""What a signed-in person does with the account: profile, password, address, devices, activity, a copy, the end.

Pages alone: what they change is changed by `auth.credentials`, `auth.closing` and `auth.accounts`.
"""
