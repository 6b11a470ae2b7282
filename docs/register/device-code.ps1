<#
.SYNOPSIS
Registers an app for the sample device-code, as its README does by hand, and prints the sample's .env.

.DESCRIPTION
An app of that name is found again and left as it is.

.EXAMPLE
Connect-MgGraph -Scopes Application.ReadWrite.All
docs/register/device-code.ps1 | Set-Content -Encoding ascii device-code/.env
#>
#Requires -Modules Microsoft.Graph.Authentication
param(
    [string] $Name = 'Rust Device Code Flow App'
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
  "isFallbackPublicClient": true,
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

@"
AUTHORITY=$authority/$tenant
CLIENT_ID=$($app.appId)
"@
