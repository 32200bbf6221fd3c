// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// What one FLUX costs in US dollars. Address: 0x000000000000000000000000000000000000f10c
interface IOracle {
    /// A feeder for people.
    struct FeederStatus { address feeder; uint64 price; uint64 reportedAt; bool counts; }

    /// FLUX per dollar, added up second by second: what a rate in dollars came to between two readings, exactly.
    struct Meter { uint64 at; uint256 index; uint256 pace; }

    /// The price as stored: of the last moment at which enough feeders agreed.
    struct Price { uint64 value; uint64 updatedAt; bool frozen; }

    /// A vote admitted a feeder; it reports once it has put down its bond.
    event FeederRegistered(address indexed feeder);

    /// It put down its bond.
    event FeederJoined(address indexed feeder, uint256 bond);

    /// It left or was removed; what it lost went to the treasury, the rest comes back after a while.
    event FeederRemoved(address indexed feeder, uint256 forfeited, uint256 returned);

    /// A feeder reported.
    event PriceReported(address indexed feeder, uint64 price);

    /// A report is further from the median than allowed and counts for nothing.
    event ReportIgnored(address indexed feeder, uint64 price, uint64 median);

    /// The price, as most feeders agree.
    event PriceUpdated(uint64 value, uint8 reports);

    /// Too few feeders report or agree; the price stays what it was.
    event PriceFrozen(uint64 value, uint64 updatedAt);

    /// {account} is no feeder that a vote admitted and that has put down its bond.
    error NotFeeder(address account);

    /// {account} is a feeder already.
    error AlreadyFeeder(address account);

    /// There are {limit} feeders, as many as there may be.
    error TooManyFeeders(uint8 limit);

    /// A feeder's bond is {required} wei exactly, and {sent} came.
    error WrongBond(uint256 required, uint256 sent);

    /// A price lies between {lowest} and {highest} (10^-8 dollars per FLUX), and {price} does not.
    error InvalidPrice(uint64 price, uint64 lowest, uint64 highest);

    /// The next report is due at {earliest} at the earliest.
    error ReportTooSoon(uint64 earliest);

    /// Of a price, for tools that read price feeds.
    function decimals() external view returns (uint8);

    /// All feeders with their last reports, and whether these count.
    function feeders() external view returns (FeederStatus[] memory);

    /// Put down the bond as an admitted feeder. Raises NotFeeder, AlreadyFeeder, WrongBond.
    function join() external payable;

    /// Stop feeding; the bond comes back after a while. Raises NotFeeder.
    function leave() external;

    /// The meter now; what a rate in dollars costs in FLUX follows from two readings.
    function meter() external view returns (Meter memory);

    /// The price, when it was last agreed on, and whether it is frozen since.
    function price() external view returns (Price memory);

    /// Admit a feeder. Raises AlreadyFeeder, TooManyFeeders.
    function registerFeeder(address feeder) external;

    /// Remove a feeder; its bond comes back after a while, or is the treasury's. Raises NotFeeder.
    function removeFeeder(address feeder, bool forfeit) external;

    /// What one FLUX costs, in 10**-8 dollars. Raises NotFeeder, InvalidPrice, ReportTooSoon.
    function report(uint64 price) external;
}
