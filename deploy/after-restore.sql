-- What a backup must not bring back to life (backup.py). Both databases read this.
UPDATE sessions SET revoked_at = CURRENT_TIMESTAMP, revoked_for = 'ended_by_admin' WHERE revoked_at IS NULL;
DELETE FROM mail_links;
UPDATE letters SET dropped_at = CURRENT_TIMESTAMP
    WHERE sent_at IS NULL AND dropped_at IS NULL AND failed_at IS NULL;
