//! The rules, a file for each group of the contract.
