#!/usr/bin/env bash
# Registers an app for the sample username-password, as its README does by hand, grants admin consent to it, and prints
# the sample's .env:
#
#   az login --allow-no-subscriptions
#   docs/register/username-password.sh > username-password/.env
#
# The first argument is the app's name. An app of that name is found again; what it lacks is added.
set -euo pipefail

name=${1:-desktop-sample}

# Microsoft Graph and its delegated permissions: https://learn.microsoft.com/graph/permissions-reference
graph=00000003-0000-0000-c000-000000000000
user_read=e1fe6dd8-ba31-4d61-89e7-88639da4683d
user_read_basic_all=b340eb25-3456-403f-be2f-af7a0d370277
permissions='[{
  "resourceAppId": "'$graph'",
  "resourceAccess": [
    { "id": "'$user_read'", "type": "Scope" },
    { "id": "'$user_read_basic_all'", "type": "Scope" }
  ]
}]'

authority=$(az cloud show --query endpoints.activeDirectory --output tsv)
tenant=$(az account show --query tenantId --output tsv)

client=$(az ad app list --filter "displayName eq '${name//\'/\'\'}'" --query '[].appId' --output tsv)
case $(wc -w <<< "$client") in
  0)
    client=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg \
      --is-fallback-public-client true --required-resource-accesses "$permissions" \
      --public-client-redirect-uris https://login.microsoftonline.com/common/oauth2/nativeclient \
      --query appId --output tsv)
    echo "Registered the app '$name'." >&2
    ;;
  1) echo "The app '$name' is registered already." >&2 ;;
  *) echo "Several apps are called '$name': give another name, or delete them." >&2 && exit 1 ;;
esac

# Admin consent is given to the app's service principal in this tenant.
principal=$(az ad sp list --filter "appId eq '$client'" --query '[].id' --output tsv)
if [ -z "$principal" ]; then
  az ad sp create --id "$client" --output none
fi
granted=$(az ad app permission list-grants --id "$client" --query "[?consentType=='AllPrincipals'].id" --output tsv)
if [ -z "$granted" ]; then
  az ad app permission grant --id "$client" --api $graph --scope User.Read User.ReadBasic.All --output none
  echo "Granted admin consent to User.Read and User.ReadBasic.All." >&2
fi

cat << END
AUTHORITY=$authority/$tenant
CLIENT_ID=$client
# The user who signs in. The sample asks for the password.
AZURE_USERNAME=Enter_the_User_Name_Here
END
