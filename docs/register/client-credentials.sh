#!/usr/bin/env bash
# Registers an app for the sample client-credentials, as its README does by hand, grants admin consent to it, gives it a
# proof of its identity, and prints the sample's .env:
#
#   az login --allow-no-subscriptions
#   (umask 077 && docs/register/client-credentials.sh > client-credentials/.env)
#
# client-credentials.sh [--new-secret | --certificate <cert.pem>] [<name>]
#   --new-secret    adds a client secret even if the app has one; remove the old one when nothing uses it any more
#   --certificate   uploads this certificate in the place of a secret; set CLIENT_CERTIFICATE to key and certificate
#
# An app of that name is found again; what it lacks is added.
set -euo pipefail

new_secret=
certificate=
if [ "${1-}" = --new-secret ]; then
  new_secret=yes
  shift
elif [ "${1-}" = --certificate ]; then
  certificate=${2:?the file of the certificate is missing}
  shift 2
fi
name=${1:-rust-cli}
credential=rust-sample # what the secret or the certificate is called

# Microsoft Graph and its application permission Application.Read.All:
# https://learn.microsoft.com/graph/permissions-reference
graph=00000003-0000-0000-c000-000000000000
application_read_all=9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30
permissions='[{
  "resourceAppId": "'$graph'",
  "resourceAccess": [{ "id": "'$application_read_all'", "type": "Role" }]
}]'

authority=$(az cloud show --query endpoints.activeDirectory --output tsv)
graph_url=$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)
tenant=$(az account show --query tenantId --output tsv)

client=$(az ad app list --filter "displayName eq '${name//\'/\'\'}'" --query '[].appId' --output tsv)
case $(wc -w <<< "$client") in
  0)
    client=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg \
      --required-resource-accesses "$permissions" --query appId --output tsv)
    echo "Registered the app '$name'." >&2
    ;;
  1) echo "The app '$name' is registered already." >&2 ;;
  *) echo "Several apps are called '$name': give another name, or delete them." >&2 && exit 1 ;;
esac
object=$(az ad app show --id "$client" --query id --output tsv)

# Admin consent to an application permission is an assignment of Graph's app role to the app's service principal.
principal=$(az ad sp list --filter "appId eq '$client'" --query '[].id' --output tsv)
if [ -z "$principal" ]; then
  principal=$(az ad sp create --id "$client" --query id --output tsv)
fi
assignments=${graph_url%/}/v1.0/servicePrincipals/$principal/appRoleAssignments
assigned=$(az rest --url "$assignments" --query "value[?appRoleId=='$application_read_all'].id" --output tsv)
if [ -z "$assigned" ]; then
  resource=$(az ad sp show --id $graph --query id --output tsv)
  az rest --method post --url "$assignments" --output none --body \
    '{ "principalId": "'"$principal"'", "resourceId": "'"$resource"'", "appRoleId": "'$application_read_all'" }'
  echo "Granted admin consent to Application.Read.All." >&2
fi

if [ -n "$certificate" ]; then
  thumbs=$(az ad app credential list --id "$client" --cert --query "[?displayName=='$credential'].keyId" --output tsv)
  if [ -z "$thumbs" ]; then
    az ad app credential reset --id "$client" --append --cert "@$certificate" --display-name "$credential" --output none
    echo "Uploaded the certificate." >&2
  fi
  proof='CLIENT_CERTIFICATE=Enter_the_path_of_key_and_certificate_here'
else
  secrets=$(az ad app credential list --id "$client" --query "[?displayName=='$credential'].keyId" --output tsv)
  if [ -z "$secrets" ] || [ -n "$new_secret" ]; then
    # It goes from az to this variable and to stdout, and nowhere else.
    proof=CLIENT_SECRET=\'$(az ad app credential reset --id "$client" --append --display-name "$credential" \
      --query password --output tsv --only-show-errors)\'
    echo "Added a client secret, which is shown this once. Keep it from others: chmod 600 client-credentials/.env" >&2
  else
    proof='# CLIENT_SECRET was shown when it was made. For another one: client-credentials.sh --new-secret'
    echo "The app has its secret already: keep the CLIENT_SECRET that you have." >&2
  fi
fi

cat << END
AUTHORITY=$authority/$tenant
CLIENT_ID=$client
CLIENT_OBJECTID=$object
$proof
END
