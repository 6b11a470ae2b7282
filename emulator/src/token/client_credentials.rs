//! The client credentials grant: an application acts as itself.

use serde_json::Value;

use super::TokenRequest;
use super::client_proof::ProofKind;
use crate::directory::Authority;
use crate::errors::EntraError;

impl TokenRequest<'_> {
    /// A token for the application itself.
    pub fn client_credentials(&self) -> Result<Value, EntraError> {
        // The user that it would take to know the tenant is not there.
        let Authority::Tenant(tenant) = self.authority else {
            return Err(EntraError::new(50059));
        };
        if self.proof == ProofKind::None {
            return Err(EntraError::about(7000216, &["client_credentials"]));
        }
        if self.application.lacks_service_principal {
            let client = self.application.client_name();
            return Err(EntraError::about(
                7000229,
                &[&client, &tenant.id.to_string()],
            ));
        }
        let scope = self.field("scope")?;
        let scopes = self.scopes(scope)?;
        if !scopes.is_default() {
            return Err(EntraError::about(1002012, &[scope]));
        }
        self.service.application_answer(
            self.call,
            &scopes.resource,
            tenant.id,
            self.application,
            self.proof,
        )
    }
}
