//! Whether a user may sign in: the rules that the password grant, the pages and the automatic sign-in share.

use crate::directory::{Condition, User};
use crate::errors::EntraError;

/// Whether name and password are enough; a second factor is an obstacle here.
pub fn with_password_alone(user: &User, password: &str) -> Result<(), EntraError> {
    password_fits(user, password)?;
    match user.condition {
        Condition::MfaRequired => Err(EntraError::about(
            50076,
            &["00000003-0000-0000-c000-000000000000"],
        )),
        _ => Ok(()),
    }
}

/// Whether the password is right and nothing but perhaps a second factor is missing.
pub fn password_fits(user: &User, password: &str) -> Result<(), EntraError> {
    match user.condition {
        Condition::Federated | Condition::NoPassword => Err(EntraError::new(50056)),
        Condition::Locked => Err(EntraError::new(50053)),
        _ if user.password != password => Err(EntraError::new(50126)),
        _ => in_person(user),
    }
}

/// Whether a person who knows everything there is to know can sign in as this user.
pub fn in_person(user: &User) -> Result<(), EntraError> {
    match user.condition {
        Condition::Fine | Condition::MfaRequired | Condition::NoPassword | Condition::Federated => {
            Ok(())
        }
        Condition::Disabled => Err(EntraError::new(50057)),
        Condition::Locked => Err(EntraError::new(50053)),
        Condition::PasswordExpired => Err(EntraError::new(50055)),
    }
}
