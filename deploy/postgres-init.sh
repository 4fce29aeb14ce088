#!/bin/bash
# Run once by the PostgreSQL image, when its volume is empty, after roles.sql: each of the two roles gets its password.
set -euo pipefail
owner_password=$(cat /run/secrets/owner_password)
app_password=$(cat /run/secrets/app_password)
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set=owner_password="$owner_password" --set=app_password="$app_password" <<'SQL'
ALTER ROLE lanyard_owner PASSWORD :'owner_password';
ALTER ROLE lanyard_app PASSWORD :'app_password';
SQL
