#!/usr/bin/env bash
# Registers an app for the sample device-code, as its README does by hand, and prints the sample's .env:
#
#   az login --allow-no-subscriptions
#   docs/register/device-code.sh > device-code/.env
#
# The first argument is the app's name. An app of that name is found again and left as it is.
set -euo pipefail

name=${1:-Rust Device Code Flow App}

# Microsoft Graph and its delegated permission User.Read: https://learn.microsoft.com/graph/permissions-reference
permissions='[{
  "resourceAppId": "00000003-0000-0000-c000-000000000000",
  "resourceAccess": [{ "id": "e1fe6dd8-ba31-4d61-89e7-88639da4683d", "type": "Scope" }]
}]'

authority=$(az cloud show --query endpoints.activeDirectory --output tsv)
tenant=$(az account show --query tenantId --output tsv)

client=$(az ad app list --filter "displayName eq '${name//\'/\'\'}'" --query '[].appId' --output tsv)
case $(wc -w <<< "$client") in
  0)
    client=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg \
      --is-fallback-public-client true --required-resource-accesses "$permissions" \
      --query appId --output tsv)
    echo "Registered the app '$name'." >&2
    ;;
  1) echo "The app '$name' is registered already." >&2 ;;
  *) echo "Several apps are called '$name': give another name, or delete them." >&2 && exit 1 ;;
esac

cat << END
AUTHORITY=$authority/$tenant
CLIENT_ID=$client
END
