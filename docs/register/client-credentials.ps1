<#
.SYNOPSIS
Registers an app for the sample client-credentials, as its README does by hand, grants admin consent to it, gives it a
proof of its identity, and prints the sample's .env.

.DESCRIPTION
An app of that name is found again; what it lacks is added.
-NewSecret adds a client secret even if the app has one; remove the old one when nothing uses it any more.
-Certificate uploads this certificate in the place of a secret; set CLIENT_CERTIFICATE to key and certificate.

.EXAMPLE
Connect-MgGraph -Scopes Application.ReadWrite.All, AppRoleAssignment.ReadWrite.All
docs/register/client-credentials.ps1 | Set-Content -Encoding ascii client-credentials/.env
#>
#Requires -Modules Microsoft.Graph.Authentication
param(
    [string] $Name = 'rust-cli',
    [switch] $NewSecret,
    [string] $Certificate
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$context = Get-MgContext
if (-not $context) { throw 'Sign in first: Connect-MgGraph -Scopes Application.ReadWrite.All, AppRoleAssignment.ReadWrite.All' }
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
    # Microsoft Graph's application permission Application.Read.All: https://learn.microsoft.com/graph/permissions-reference
    $app = Invoke-MgGraphRequest -Method POST -Uri 'v1.0/applications' -OutputType PSObject -Body @"
{
  "displayName": $jsonName,
  "signInAudience": "AzureADMyOrg",
  "requiredResourceAccess": [{
    "resourceAppId": "00000003-0000-0000-c000-000000000000",
    "resourceAccess": [
      { "id": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", "type": "Role" }
    ]
  }]
}
"@
    Write-Host "Registered the app '$Name'."
}

# Admin consent to an application permission is an assignment of Graph's app role to the app's service principal.
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
$found = Invoke-MgGraphRequest -Method GET -Uri "v1.0/servicePrincipals/$($principal.id)/appRoleAssignments" -OutputType PSObject
$assigned = @($found.value | Where-Object appRoleId -EQ '9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30')
if ($assigned.Count -eq 0) {
    $assignment = Invoke-MgGraphRequest -Method POST -Uri "v1.0/servicePrincipals/$($principal.id)/appRoleAssignments" -OutputType PSObject -Body @"
{
  "principalId": "$($principal.id)",
  "resourceId": "$($graph.id)",
  "appRoleId": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"
}
"@
    Write-Host "Granted admin consent to Application.Read.All of $($assignment.resourceDisplayName)."
}

if ($Certificate) {
    if (@($app.keyCredentials).Count -eq 0) {
        $path = (Resolve-Path $Certificate).Path
        $key = [Convert]::ToBase64String([Security.Cryptography.X509Certificates.X509Certificate2]::new($path).RawData)
        Invoke-MgGraphRequest -Method PATCH -Uri "v1.0/applications/$($app.id)" -Body @"
{
  "keyCredentials": [{ "displayName": "rust-sample", "type": "AsymmetricX509Cert", "usage": "Verify", "key": "$key" }]
}
"@
        Write-Host 'Uploaded the certificate.'
    }
    $proof = 'CLIENT_CERTIFICATE=Enter_the_path_of_key_and_certificate_here'
} else {
    $secrets = @($app.passwordCredentials | Where-Object displayName -EQ 'rust-sample')
    if ($secrets.Count -eq 0 -or $NewSecret) {
        $secret = Invoke-MgGraphRequest -Method POST -Uri "v1.0/applications/$($app.id)/addPassword" -OutputType PSObject -Body @'
{ "passwordCredential": { "displayName": "rust-sample" } }
'@
        $proof = "CLIENT_SECRET='$($secret.secretText)'"
        Write-Host 'Added a client secret, which is shown this once. Keep the .env from others.'
    } else {
        $proof = '# CLIENT_SECRET was shown when it was made. For another one: client-credentials.ps1 -NewSecret'
        Write-Host 'The app has its secret already: keep the CLIENT_SECRET that you have.'
    }
}

@"
AUTHORITY=$authority/$tenant
CLIENT_ID=$($app.appId)
CLIENT_OBJECTID=$($app.id)
$proof
"@
