//! Signs a user in.

fn main() {}
