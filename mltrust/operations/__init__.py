"""The verbs. They know sockets, never plugs: sources, readers, engines and anchors are handed in."""
