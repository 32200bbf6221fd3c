// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// The validator set. Address: 0x000000000000000000000000000000000000f107
interface IValidators {
    /// Who answers for a consensus key and receives the tips of its blocks; the zero address for an unknown one.
    function operatorOf(address proposer) external view returns (address);
}
