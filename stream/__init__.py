"""I/O: sources, supervision, sessions, the server, the wire format and the command line."""
