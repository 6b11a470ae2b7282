//! The permissions of Microsoft Graph by their ids, as registrations and grants name them. The ids are the same in
//! every tenant; source: Microsoft Graph permissions reference, <https://learn.microsoft.com/graph/permissions-reference>.

use uuid::{Uuid, uuid};

/// Microsoft Graph's application id.
pub const GRAPH_APP_ID: Uuid = uuid!("00000003-0000-0000-c000-000000000000");

/// Permissions that a user delegates (`Scope`).
pub const DELEGATED: &[(Uuid, &str)] = &[
    (uuid!("e1fe6dd8-ba31-4d61-89e7-88639da4683d"), "User.Read"),
    (
        uuid!("b340eb25-3456-403f-be2f-af7a0d370277"),
        "User.ReadBasic.All",
    ),
    (
        uuid!("a154be20-db9c-4678-8ab7-66f6cc099a59"),
        "User.Read.All",
    ),
];

/// Permissions that an application has itself (`Role`).
pub const APPLICATION: &[(Uuid, &str)] = &[
    (
        uuid!("9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"),
        "Application.Read.All",
    ),
    (
        uuid!("1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9"),
        "Application.ReadWrite.All",
    ),
    (
        uuid!("7ab1d382-f21e-4acd-a863-ba3e13f7da61"),
        "Directory.Read.All",
    ),
    (
        uuid!("df021288-bdef-4463-88db-98f22de89214"),
        "User.Read.All",
    ),
];

/// The name of a permission.
pub fn name(permissions: &[(Uuid, &'static str)], id: Uuid) -> Option<&'static str> {
    let found = permissions.iter().find(|(known, _)| *known == id);
    found.map(|(_, name)| *name)
}
