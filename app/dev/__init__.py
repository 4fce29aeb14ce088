"""Pages for development alone: the mailbox that shows each e-mail written."""
