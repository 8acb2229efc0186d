import type { Migration } from '../database.ts'

/**
 * A body that can go while its entry stays: new entries are hashed over `body_hash`, and the one change that is let
 * through is to empty the body of such an entry. Entries from before keep their format and their body.
 */
export const bodyHash: Migration = {
  version: 2,
  sql: `
    ALTER TABLE entry ADD COLUMN body_hash TEXT;
    DROP TRIGGER entry_update;
    CREATE TRIGGER entry_update BEFORE UPDATE ON entry
      WHEN NOT (NEW.body = '' AND OLD.body_hash IS NOT NULL AND NEW.body_hash IS OLD.body_hash
        AND NEW.sequence IS OLD.sequence AND NEW.at IS OLD.at AND NEW.kind IS OLD.kind AND NEW.session_id IS OLD.session_id
        AND NEW.previous_hash IS OLD.previous_hash AND NEW.hash IS OLD.hash)
      BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: entries are never changed'); END;
  `,
}
