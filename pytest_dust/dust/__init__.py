"""The service: its wire format, the conversation with it, its refusals, and a run as `expect` sees it."""
