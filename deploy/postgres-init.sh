#!/bin/bash
# Run once by the PostgreSQL image, when its volume is empty: the role that migrates and the role that runs.
set -euo pipefail
owner_password=$(cat /run/secrets/owner_password)
app_password=$(cat /run/secrets/app_password)
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set=owner_password="$owner_password" --set=app_password="$app_password" <<'SQL'
CREATE ROLE lanyard_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE lanyard_app LOGIN PASSWORD :'app_password';
SQL
