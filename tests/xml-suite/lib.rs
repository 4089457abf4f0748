//! Nothing: the package is here for what its dependency carries.
