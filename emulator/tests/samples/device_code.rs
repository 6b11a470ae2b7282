//! Rows A and B: the device code flow.

use crate::support::{World, emulator};

#[test]
fn a3_the_profile_of_contoso_employee() {
    let emulator = emulator();
    let profile = World::at(&emulator, "device-code").run().json();
    assert_eq!(profile["displayName"], "Contoso Employee");
}
