"""OpenSSF Model Signing (OMS): what its bundles say, as values; no key and no file is looked at here."""
