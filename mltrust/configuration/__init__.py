"""Configuration: short names of anchors and signers, what is set for each, and whom to trust.

The caller says which file to read. A configuration is TOML, closed (an unknown key is the user's error, never passed
over):

    [anchors]                             short names
    release = "git-notes:/srv/models"

    [signers.alice]                       who signs, by a key, several, certificates or an identity
    key = "alice.pub"

    [ethereum.sepolia]                    settings of the anchor ethereum:sepolia, one table for each URI
    rpc = ["https://one.example", "https://two.example"]

    [remote.s3]                           settings of all artifacts s3://..., one table for each scheme
    endpoint_url = "https://s3.example"

    [trust]                               whom verify asks where nobody is named on the command line
    require = ["release", "alice"]        each of these must vouch,
    at_least = 1                          and so must this many
    of = [{ anchor = "ethereum:sepolia", authors = ["0x…"] }, { key = "…" }]    of these

Signers are described in `signers`, `[trust]` in `trusting`. Paths count from the folder of the file that names them,
wherever the command runs: else an artifact that is the working folder could bring a ledger or a key of its own.

A policy file is a configuration with a `[trust]` table; what it says goes before what the user's own says.
"""

from mltrust.configuration.tables import Configuration

__all__ = ["Configuration"]
