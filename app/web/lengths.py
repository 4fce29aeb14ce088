"""How long the fields that many forms share may be, in characters: for the models, and for `maxlength` in the pages.

Passwords are not among them: a browser cuts what is pasted off at `maxlength` and says nothing.
"""

from app.web import email_address

NAME = 80  # of a person, or of something that belongs to one
CODE = 100
OF_FIELDS = {"name": NAME, "email": email_address.LONGEST, "code": CODE}  # read by the macro `field`
