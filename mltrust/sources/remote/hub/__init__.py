"""`hf://[datasets/|spaces/]OWNER/NAME[@REVISION][/PATH]`: a repository of the Hugging Face Hub.

The revision is resolved to a commit before anything else is asked, and everything is read at that commit: a push
meanwhile changes nothing. Requests go through the session of huggingface_hub (`client.py`), which finds the token and
the proxy where the Hub's own tools find them; what the answers may say is decided here (`store.py`, `listing.py`).
"""

from mltrust.sources.remote.hub.source import HubSource

__all__ = ["HubSource"]
