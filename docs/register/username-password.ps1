<#
.SYNOPSIS
Registers an app for the sample username-password, as its README does by hand, grants admin consent to it, and prints
the sample's .env.

.DESCRIPTION
An app of that name is found again; what it lacks is added.

.EXAMPLE
Connect-MgGraph -Scopes Application.ReadWrite.All, DelegatedPermissionGrant.ReadWrite.All
docs/register/username-password.ps1 | Set-Content -Encoding ascii username-password/.env
#>
#Requires -Modules Microsoft.Graph.Authentication
param(
    [string] $Name = 'desktop-sample'
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$context = Get-MgContext
if (-not $context) { throw 'Sign in first: Connect-MgGraph -Scopes Application.ReadWrite.All, DelegatedPermissionGrant.ReadWrite.All' }
$authority = (Get-MgEnvironment -Name $context.Environment).AzureADEndpoint
$tenant = $context.TenantId

$quoted = [uri]::EscapeDataString($Name.Replace("'", "''"))
$found = Invoke-MgGraphRequest -Method GET -Uri "v1.0/applications?`$filter=displayName eq '$quoted'" -OutputType PSObject
$apps = @($found.value)
if ($apps.Count -gt 1) { throw "Several apps are called '$Name': give another name, or delete them." }
if ($apps.Count -eq 1) {
    $app = $apps[0]
    Write-Host "The app '$Name' is registered already."
} else {
    $jsonName = ConvertTo-Json $Name
    # Microsoft Graph's delegated permissions User.Read and User.ReadBasic.All: https://learn.microsoft.com/graph/permissions-reference
    $app = Invoke-MgGraphRequest -Method POST -Uri 'v1.0/applications' -OutputType PSObject -Body @"
{
  "displayName": $jsonName,
  "signInAudience": "AzureADMyOrg",
  "isFallbackPublicClient": true,
  "publicClient": { "redirectUris": ["https://login.microsoftonline.com/common/oauth2/nativeclient"] },
  "requiredResourceAccess": [{
    "resourceAppId": "00000003-0000-0000-c000-000000000000",
    "resourceAccess": [
      { "id": "e1fe6dd8-ba31-4d61-89e7-88639da4683d", "type": "Scope" },
      { "id": "b340eb25-3456-403f-be2f-af7a0d370277", "type": "Scope" }
    ]
  }]
}
"@
    Write-Host "Registered the app '$Name'."
}

# Admin consent is given to the app's service principal in this tenant.
$found = Invoke-MgGraphRequest -Method GET -Uri "v1.0/servicePrincipals?`$filter=appId eq '$($app.appId)'" -OutputType PSObject
$principals = @($found.value)
if ($principals.Count -eq 1) {
    $principal = $principals[0]
} else {
    $principal = Invoke-MgGraphRequest -Method POST -Uri 'v1.0/servicePrincipals' -OutputType PSObject -Body @"
{ "appId": "$($app.appId)" }
"@
}
$graph = Invoke-MgGraphRequest -Method GET -Uri "v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')" -OutputType PSObject
$found = Invoke-MgGraphRequest -Method GET -Uri "v1.0/oauth2PermissionGrants?`$filter=clientId eq '$($principal.id)'" -OutputType PSObject
$granted = @($found.value | Where-Object consentType -EQ 'AllPrincipals')
if ($granted.Count -eq 0) {
    $grant = Invoke-MgGraphRequest -Method POST -Uri 'v1.0/oauth2PermissionGrants' -OutputType PSObject -Body @"
{
  "clientId": "$($principal.id)",
  "consentType": "AllPrincipals",
  "resourceId": "$($graph.id)",
  "scope": "User.Read User.ReadBasic.All"
}
"@
    Write-Host "Granted admin consent to $($grant.scope)."
}

@"
AUTHORITY=$authority/$tenant
CLIENT_ID=$($app.appId)
# The user who signs in. The sample asks for the password.
AZURE_USERNAME=Enter_the_User_Name_Here
"@
