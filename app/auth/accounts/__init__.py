"""What people and administrators do with an account: sign up, log in, reset, change, delete."""
