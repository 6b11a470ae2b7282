//! The contract that all samples share (CT1–CT13): each row against each sample's binary.

use crate::support::{SAMPLES, World, emulator};

#[test]
fn ct4_success() {
    for sample in SAMPLES {
        let emulator = emulator();
        World::at(&emulator, sample).run().json();
    }
}
