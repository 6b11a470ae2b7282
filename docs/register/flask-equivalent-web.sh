#!/usr/bin/env bash
# Registers an app for the sample flask-equivalent-web, as its README does by hand, gives it a client secret, and prints
# the sample's .env:
#
#   az login --allow-no-subscriptions
#   (umask 077 && docs/register/flask-equivalent-web.sh > flask-equivalent-web/.env)
#
# flask-equivalent-web.sh [--new-secret] [<name>]
#   --new-secret    adds a client secret even if the app has one; remove the old one when nothing uses it any more
#
# An app of that name is found again; what it lacks is added.
set -euo pipefail

new_secret=
if [ "${1-}" = --new-secret ]; then
  new_secret=yes
  shift
fi
name=${1:-rust-webapp}
credential=rust-sample # what the secret is called

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
    # The second address is where a sign-out leads back to.
    client=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg \
      --web-redirect-uris http://localhost:5000/getAToken http://localhost:5000/ \
      --required-resource-accesses "$permissions" --query appId --output tsv)
    echo "Registered the app '$name'." >&2
    ;;
  1) echo "The app '$name' is registered already." >&2 ;;
  *) echo "Several apps are called '$name': give another name, or delete them." >&2 && exit 1 ;;
esac

secrets=$(az ad app credential list --id "$client" --query "[?displayName=='$credential'].keyId" --output tsv)
if [ -z "$secrets" ] || [ -n "$new_secret" ]; then
  # It goes from az to this variable and to stdout, and nowhere else.
  proof=CLIENT_SECRET=\'$(az ad app credential reset --id "$client" --append --display-name "$credential" \
    --query password --output tsv --only-show-errors)\'
  echo "Added a client secret, which is shown this once. Keep it from others: chmod 600 flask-equivalent-web/.env" >&2
else
  proof='# CLIENT_SECRET was shown when it was made. For another one: flask-equivalent-web.sh --new-secret'
  echo "The app has its secret already: keep the CLIENT_SECRET that you have." >&2
fi

cat << END
AUTHORITY=$authority/$tenant
CLIENT_ID=$client
$proof
END
