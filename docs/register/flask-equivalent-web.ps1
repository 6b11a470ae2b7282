<#
.SYNOPSIS
Registers an app for the sample flask-equivalent-web, as its README does by hand, gives it a client secret, and prints
the sample's .env.

.DESCRIPTION
An app of that name is found again; what it lacks is added.
-NewSecret adds a client secret even if the app has one; remove the old one when nothing uses it any more.

.EXAMPLE
Connect-MgGraph -Scopes Application.ReadWrite.All
docs/register/flask-equivalent-web.ps1 | Set-Content -Encoding ascii flask-equivalent-web/.env
#>
#Requires -Modules Microsoft.Graph.Authentication
param(
    [string] $Name = 'rust-webapp',
    [switch] $NewSecret
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$context = Get-MgContext
if (-not $context) { throw 'Sign in first: Connect-MgGraph -Scopes Application.ReadWrite.All' }
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
    # Microsoft Graph's delegated permission User.Read: https://learn.microsoft.com/graph/permissions-reference
    $app = Invoke-MgGraphRequest -Method POST -Uri 'v1.0/applications' -OutputType PSObject -Body @"
{
  "displayName": $jsonName,
  "signInAudience": "AzureADMyOrg",
  "web": { "redirectUris": ["http://localhost:5000/getAToken", "http://localhost:5000/"] },
  "requiredResourceAccess": [{
    "resourceAppId": "00000003-0000-0000-c000-000000000000",
    "resourceAccess": [
      { "id": "e1fe6dd8-ba31-4d61-89e7-88639da4683d", "type": "Scope" }
    ]
  }]
}
"@
    Write-Host "Registered the app '$Name'."
}

$secrets = @($app.passwordCredentials | Where-Object displayName -EQ 'rust-sample')
if ($secrets.Count -eq 0 -or $NewSecret) {
    $secret = Invoke-MgGraphRequest -Method POST -Uri "v1.0/applications/$($app.id)/addPassword" -OutputType PSObject -Body @'
{ "passwordCredential": { "displayName": "rust-sample" } }
'@
    $proof = "CLIENT_SECRET='$($secret.secretText)'"
    Write-Host 'Added a client secret, which is shown this once. Keep the .env from others.'
} else {
    $proof = '# CLIENT_SECRET was shown when it was made. For another one: flask-equivalent-web.ps1 -NewSecret'
    Write-Host 'The app has its secret already: keep the CLIENT_SECRET that you have.'
}

@"
AUTHORITY=$authority/$tenant
CLIENT_ID=$($app.appId)
$proof
"@
