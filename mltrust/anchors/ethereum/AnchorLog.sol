// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Announces commitments to batches of digests
/// @notice It has no owner, no storage and no rule: anyone may announce anything, any number of times. What an
/// announcement proves is that `by` made it, not later than its block. It takes no money and calls nobody.
contract AnchorLog {
    /// @param commitment SHA-256 over the number of digests in a batch and the root of their tree
    /// @param by the account that called, which a contract at another address could only claim
    /// @param size the number of digests, as the caller says; the commitment binds the true one
    event Anchored(bytes32 indexed commitment, address indexed by, uint64 size);

    /// @notice Announce `commitment`, to a batch of `size` digests.
    function anchor(bytes32 commitment, uint64 size) external {
        emit Anchored(commitment, msg.sender, size);
    }
}
