"""What completes the command line in each shell: made from its grammar, so that a shell needs no Python to do it.

Only the short names of the user's configuration are asked for, when they are wanted: `mltrust config names`. What comes
back is taken as text, never as a command.
"""

SIGNERS = ("ssh-agent:", "external:", "sigstore:")
"""How a key begins that is in no file."""
