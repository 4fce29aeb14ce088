-- Two roles for PostgreSQL: lanyard_owner migrates and prunes, lanyard_app runs the site.
--
--     psql -v ON_ERROR_STOP=1 -f deploy/roles.sql DATABASE
--
-- as a superuser, before the first `python -m app migrate` and after every one: it may be run as often as one likes,
-- changes only what is missing, and grants nothing that it does not name. Then give each role a password of its own
-- (\password lanyard_owner, \password lanyard_app) and set
--
--     DATABASE_URL=postgresql://lanyard_owner@HOST/DATABASE    for `migrate` and `prune`
--     DATABASE_URL=postgresql://lanyard_app@HOST/DATABASE      for `serve` and everything else
--
-- Whoever takes over the running site can then read the audit trail and add to it, and can neither change nor remove
-- a line of it, nor the tables themselves (v5.0.0-16.4.2).

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

-- Nobody but the owner makes or changes tables (PostgreSQL before 15 lets everybody).
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO lanyard_owner;
GRANT USAGE ON SCHEMA public TO lanyard_app;

-- What the running site does with rows. A table that a migration adds is closed to it until this file is run again:
-- forgotten, that fails aloud, where default privileges would fail in silence.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO lanyard_app;

DO $$
BEGIN
    -- The trail only ever grows. TRUNCATE, REFERENCES and TRIGGER were never granted.
    IF to_regclass('public.audit_events') IS NOT NULL THEN
        REVOKE UPDATE, DELETE ON audit_events FROM lanyard_app;
    END IF;
    -- Which migrations have run is for the owner to write.
    IF to_regclass('public.alembic_version') IS NOT NULL THEN
        REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM lanyard_app;
    END IF;
END
$$;

COMMIT;
