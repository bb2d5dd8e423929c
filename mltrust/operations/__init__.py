"""The verbs. They know sockets, never plugs: sources, readers, engines and anchors are handed in.

Nothing is gathered here: a command imports the verb it runs, and no other.
"""
