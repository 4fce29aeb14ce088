-- Two roles for PostgreSQL: lanyard_owner migrates and prunes the audit log, lanyard_app runs the site.
--
--     psql -v ON_ERROR_STOP=1 -f deploy/roles.sql DATABASE
--
-- once, as a superuser; before the first `python -m app migrate` or at any time after it. It may be run as often as one
-- likes. Then give each role a password of its own (\password lanyard_owner, \password lanyard_app) and set
--
--     DATABASE_URL=postgresql://lanyard_owner@HOST/DATABASE    for `migrate`
--     DATABASE_URL=postgresql://lanyard_app@HOST/DATABASE      for `serve` and everything else
--
-- An attacker who takes over the running site can then read the audit log and add to it, and can neither change nor remove
-- a line of it, nor alter a table (v5.0.0-16.4.2).

BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lanyard_owner') THEN
        CREATE ROLE lanyard_owner LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lanyard_app') THEN
        CREATE ROLE lanyard_app LOGIN;
    END IF;
END
$$;

-- Nobody but the owner makes tables (PostgreSQL before 15 lets everybody).
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO lanyard_owner;
GRANT USAGE ON SCHEMA public TO lanyard_app;

-- How long the server works on a statement, or waits for the rest of a transaction. The site asks for the same when it
-- connects, and a pooler such as PgBouncer does not pass that on; what a role has reaches every connection.
ALTER ROLE lanyard_app SET statement_timeout = '9s';
ALTER ROLE lanyard_app SET idle_in_transaction_session_timeout = '9s';

-- From here on also after a restore (backup.py), as the owner or as a superuser.
-- What the running site does with rows: in tables that migrations will make, and in those that are there.
ALTER DEFAULT PRIVILEGES FOR ROLE lanyard_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO lanyard_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO lanyard_app;

DO $$
DECLARE
    each record;
BEGIN
    FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER TABLE public.%I OWNER TO lanyard_owner', each.tablename);
    END LOOP;
    -- The audit log only ever grows, and which migrations have run is for the owner to write. Migration 0005 says the same
    -- where these tables are not there yet. TRUNCATE, REFERENCES and TRIGGER are granted nowhere.
    IF to_regclass('public.audit_events') IS NOT NULL THEN
        REVOKE UPDATE, DELETE ON public.audit_events FROM lanyard_app;
        REVOKE INSERT, UPDATE, DELETE ON public.alembic_version FROM lanyard_app;
    END IF;
END
$$;

COMMIT;
