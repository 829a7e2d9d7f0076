"""What the ASGI and the WSGI middleware share: who asks, whether it may pass, and how that is said."""
